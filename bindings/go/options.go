package haigha

// #include "bridge.h"
import "C"

import "fmt"

// Options of a connection, by the library's names, as in a URI's query: strings, integers or bools.
// DescribeOptions tells them all.
type Options map[string]any

// OptionInfo describes an option.
type OptionInfo struct {
	Name    string
	Meaning string // one sentence, with the unit
	Default any    // a string or an int64; of a secret ""
	Minimum int64  // of a string: of its length in bytes
	Maximum int64
	Secret  bool
}

// DescribeOptions gives the library's table of options.
func DescribeOptions() []OptionInfo {
	var all []OptionInfo
	for index := 0; ; index++ {
		info := C.hg_options_describe(C.size_t(index))
		if info._type == 0 {
			return all
		}
		one := OptionInfo{
			Name:    goString(info.name),
			Meaning: goString(info.meaning),
			Default: goString(info.default_string),
			Minimum: int64(info.minimum),
			Maximum: int64(info.maximum),
			Secret:  info.secret != 0,
		}
		if info._type == C.HAIGHA_OPTION_INT {
			one.Default = int64(info.default_int)
		}
		all = append(all, one)
	}
}

// To be freed.
func newOptions(uri string, given []Options) (*C.haigha_options, error) {
	var made *C.haigha_options
	var refused *C.haigha_error
	status := C.haigha_options_new(&made, &refused)
	if err := failure(C.hg_result{status: status, error: refused}); err != nil {
		return nil, err
	}
	err := failure(C.hg_options_set_uri(made, uri))
	for _, options := range given {
		for name, value := range options {
			if err == nil {
				err = setOption(made, name, value)
			}
		}
	}
	if err != nil {
		C.haigha_options_free(made)
		return nil, err
	}
	return made, nil
}

func setOption(options *C.haigha_options, name string, value any) error {
	number := int64(0)
	switch v := value.(type) {
	case string:
		return failure(C.hg_options_set_string(options, name, v))
	case int:
		number = int64(v)
	case int32:
		number = int64(v)
	case int64:
		number = v
	case bool:
		if v {
			number = 1
		}
	default:
		return argumentError("option "+name, fmt.Errorf("a %T is no string, integer or bool", value))
	}
	return failure(C.hg_options_set_int(options, name, C.int64_t(number)))
}
