// What `haigha check` found, a line each.
#pragma once

#include <string>

namespace tool {

class CheckReport {
  public:
    CheckReport();

    void section(const std::string& title);
    // Something to know, neither good nor bad.
    void note(const std::string& name, const std::string& value);
    void ok(const std::string& name, const std::string& detail = "");
    // The broker does not have it, and need not.
    void no(const std::string& name, const std::string& detail = "");
    void fail(const std::string& name, const std::string& detail);
    // The last line. True when nothing failed.
    bool conclude() const;

  private:
    void line(const std::string& verdict, const std::string& name, const std::string& detail);

    bool colour_;
    bool begun_ = false;
    int ok_ = 0;
    int no_ = 0;
    int failed_ = 0;
};

}  // namespace tool
