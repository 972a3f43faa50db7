// What ThreadSanitizer must not hear of. Linked into the tests that use the library's threads.

extern "C" const char* __tsan_default_suppressions();

// libuv closes its descriptors by a raw system call, which ThreadSanitizer does not see, but opens
// and reads them by functions that it sees: the next owner of the number then seems to race with
// the last.
extern "C" const char* __tsan_default_suppressions() {
    return "called_from_lib:libuv.so\n";
}
