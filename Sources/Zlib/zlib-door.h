// The system's zlib (Debian: zlib1g-dev), as a module that Swift can import.
#include <zlib.h>
