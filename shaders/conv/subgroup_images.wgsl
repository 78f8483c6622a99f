// A convolution by subgroups (`shared/conv_subgroup`), with operands in images.

#import shared/conv_operand_images
#import shared/conv_subgroup
