// The product of `shared/portable`, an invocation for ROWS x (4 COLUMNS) of c, with operands in storage buffers.

#import shared/operands
#import shared/portable
