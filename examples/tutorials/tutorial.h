/* examples/tutorials/tutorial.h: what every one of these programs begins with. */
#include <haigha/haigha.h>
#include <stdio.h>
#include <stdlib.h>

static void must(haigha_status status, haigha_error* error) {
    if (status == HAIGHA_OK) return;
    fprintf(stderr, "%s: %s\n", haigha_status_name(status), haigha_error_message(error));
    exit(1);
}

static haigha_connection* connected(void) {
    const char* uri = getenv("HAIGHA_URI");
    haigha_connection* connection;
    haigha_error* error = NULL;
    if (uri == NULL) uri = "amqp://guest:guest@localhost";
    must(haigha_connect_wait(haigha_text(uri), -1, &connection, &error), error);
    return connection;
}
