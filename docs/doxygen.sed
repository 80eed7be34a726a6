1i/// @file
# A comment that begins a line is of what follows it (of the file, in its first lines); one behind code, of that code.
/^ *(#|\/\/)/!s@([^ ]) +// @\1 ///< @
s@^( *)//( |$)@\1///\2@
