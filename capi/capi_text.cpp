// haigha_str: text as the API has it.
#include <cstring>

#include "haigha/haigha.h"

haigha_str haigha_text(const char* text) {
    return {text, text != nullptr ? std::strlen(text) : 0};
}
