// A convolution by subgroups (`shared/conv_subgroup`), with operands in storage buffers.

#import shared/conv_operands
#import shared/conv_subgroup
