#include "transport/tls_trust.h"

#include <gtest/gtest.h>
#include <openssl/x509.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

namespace haigha::transport {
namespace {

// What the system trusts, as a file of the test's own.
class TrustedFile {
  public:
    TrustedFile() { ::setenv(X509_get_default_cert_file_env(), name_.c_str(), 1); }
    ~TrustedFile() {
        ::unsetenv(X509_get_default_cert_file_env());
        std::remove(name_.c_str());
    }
    TrustedFile(const TrustedFile&) = delete;
    TrustedFile& operator=(const TrustedFile&) = delete;
    void write(const std::string& text) const {
        std::FILE* const file = std::fopen(name_.c_str(), "w");
        ASSERT_NE(file, nullptr);
        std::fputs(text.c_str(), file);
        std::fclose(file);
    }

  private:
    const std::string name_ = testing::TempDir() + "haigha-trust-" + std::to_string(::getpid());
};

TEST(TlsTrust, IsReadOnce) {
    const TrustedFile file;
    TlsTrust trust;
    const TlsTrust::Store first = trust.system();
    ASSERT_NE(first, nullptr);
    EXPECT_EQ(trust.system(), first);
    EXPECT_NE(TlsTrust::read_system(), first);
}

TEST(TlsTrust, IsReadAgainWhenItHasChanged) {
    TlsTrust trust;
    const TlsTrust::Store systems = trust.system();
    {
        const TrustedFile file;
        const TlsTrust::Store missing = trust.system();
        EXPECT_NE(missing, systems);
        file.write("one\n");
        const TlsTrust::Store written = trust.system();
        EXPECT_NE(written, missing);
        EXPECT_EQ(trust.system(), written);
        file.write("another\n");
        EXPECT_NE(trust.system(), written);
    }
    EXPECT_NE(trust.system(), nullptr);
}

}  // namespace
}  // namespace haigha::transport
