// The gradient of a convolution's weights by subgroups (`shared/conv_weights_subgroup`), with operands in storage buffers.

#import shared/weights_operands
#import shared/conv_weights_subgroup
