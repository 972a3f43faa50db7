/* The smallest program against an installed libhaigha: prints the library's version, and checks
 * that the header which it was compiled with is of the same version. */
#include <haigha/haigha.h>
#include <stdio.h>

int main(void) {
    if (haigha_version() != HAIGHA_VERSION) {
        fprintf(stderr, "compiled with %d, running with %u\n", HAIGHA_VERSION,
                (unsigned)haigha_version());
        return 1;
    }
    puts(haigha_version_string());
    return 0;
}
