// haigha_version: what the library is.
#include "haigha/haigha.h"

#define HAIGHA_TEXT(x) #x
#define HAIGHA_NUMBER_TEXT(x) HAIGHA_TEXT(x)

uint32_t haigha_version(void) {
    return HAIGHA_VERSION;
}

const char* haigha_version_string(void) {
    return HAIGHA_NUMBER_TEXT(HAIGHA_VERSION_MAJOR) "." HAIGHA_NUMBER_TEXT(
        HAIGHA_VERSION_MINOR) "." HAIGHA_NUMBER_TEXT(HAIGHA_VERSION_PATCH);
}
