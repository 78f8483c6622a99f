// The product of `shared/portable`, an invocation for ROWS x (4 COLUMNS) of c, with operands in images.

#import shared/operand_images
#import shared/portable
