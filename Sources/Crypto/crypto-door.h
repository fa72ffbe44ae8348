// OpenSSL's checksums (Debian: libssl-dev), as a module that Swift can import.
#include <openssl/evp.h>
