/* examples/embedding/in_glib.c: in a GLib main loop: the inbox's descriptor is one of its sources.
 *
 *     cc in_glib.c $(pkg-config --cflags --libs haigha glib-2.0) -o in_glib */
#include <glib-unix.h>
#include <glib.h>

#include "embedding.h"

static gboolean on_tick(gpointer unused) {
    (void)unused;
    return tick() ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

static gboolean on_inbox(gint fd, GIOCondition condition, gpointer loop) {
    (void)fd;
    (void)condition;
    if (receive()) return G_SOURCE_CONTINUE;
    g_main_loop_quit(loop);
    return G_SOURCE_REMOVE;
}

int main(int argc, char** argv) {
    GMainLoop* loop = g_main_loop_new(NULL, FALSE);
    begin(argc > 1 ? argv[1] : "amqp://localhost");
    g_unix_fd_add(haigha_inbox_fd(inbox), G_IO_IN, on_inbox, loop);
    g_timeout_add(5, on_tick, NULL);
    g_main_loop_run(loop);
    g_main_loop_unref(loop);
    end();
    return 0;
}
