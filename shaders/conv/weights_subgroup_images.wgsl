// The gradient of a convolution's weights by subgroups (`shared/conv_weights_subgroup`), with operands in images.

#import shared/weights_operand_images
#import shared/conv_weights_subgroup
