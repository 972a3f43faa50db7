package haigha

// #include "bridge_message.h"
import "C"

import (
	"fmt"
	"math"
	"sort"
	"time"
	"unsafe"
)

// Table holds named values: headers of messages, arguments of calls, properties of a broker. Each
// Go type is one of AMQP's, both ways:
//
//	bool       t      string            S
//	int8       b      []byte            x
//	uint8      B      time.Time         T  (in seconds)
//	int16      s      Decimal           D
//	uint16     u      []any             A
//	int32      I      Table             F
//	uint32     i      nil               V
//	int64      l      float32           f
//	                  float64           d
//
// What is sent may also be an int, a uint or a uint64 (l; an error where it does not fit), and a
// map[string]any (F). An L, some clients' letter for l, is read as int64. A string may hold any
// bytes. Fields are sent in the order of their names; of two with one name the last is read.
type Table map[string]any

// Decimal is Value divided by 10 to the power of Scale.
type Decimal struct {
	Scale uint8
	Value int32
}

// A field of AMQP's: its letter and what it holds.
type field struct {
	letter  C.uint32_t
	integer int64
	real    float64
	scale   uint8
	text    string
}

func fieldOf(value any) (field, error) {
	switch v := value.(type) {
	case nil:
		return field{letter: C.HAIGHA_FIELD_VOID}, nil
	case bool:
		if v {
			return field{letter: C.HAIGHA_FIELD_BOOL, integer: 1}, nil
		}
		return field{letter: C.HAIGHA_FIELD_BOOL}, nil
	case float32:
		return field{letter: C.HAIGHA_FIELD_FLOAT, real: float64(v)}, nil
	case float64:
		return field{letter: C.HAIGHA_FIELD_DOUBLE, real: v}, nil
	case Decimal:
		return field{letter: C.HAIGHA_FIELD_DECIMAL, integer: int64(v.Value), scale: v.Scale}, nil
	case string:
		return field{letter: C.HAIGHA_FIELD_STRING, text: v}, nil
	case []byte:
		return field{letter: C.HAIGHA_FIELD_BYTES, text: string(v)}, nil
	case time.Time:
		return field{letter: C.HAIGHA_FIELD_TIMESTAMP, integer: v.Unix()}, nil
	}
	return integerField(value)
}

func integerField(value any) (field, error) {
	var unsigned uint64
	switch v := value.(type) {
	case int8:
		return field{letter: C.HAIGHA_FIELD_INT8, integer: int64(v)}, nil
	case uint8:
		return field{letter: C.HAIGHA_FIELD_UINT8, integer: int64(v)}, nil
	case int16:
		return field{letter: C.HAIGHA_FIELD_INT16, integer: int64(v)}, nil
	case uint16:
		return field{letter: C.HAIGHA_FIELD_UINT16, integer: int64(v)}, nil
	case int32:
		return field{letter: C.HAIGHA_FIELD_INT32, integer: int64(v)}, nil
	case uint32:
		return field{letter: C.HAIGHA_FIELD_UINT32, integer: int64(v)}, nil
	case int64:
		return field{letter: C.HAIGHA_FIELD_INT64, integer: v}, nil
	case int:
		return field{letter: C.HAIGHA_FIELD_INT64, integer: int64(v)}, nil
	case uint:
		unsigned = uint64(v)
	case uint64:
		unsigned = v
	default:
		return field{}, fmt.Errorf("AMQP has no type for %T", value)
	}
	if unsigned > math.MaxInt64 {
		return field{}, fmt.Errorf("%d does not fit into AMQP's signed 64 bits", unsigned)
	}
	return field{letter: C.HAIGHA_FIELD_INT64, integer: int64(unsigned)}, nil
}

func argumentError(what string, cause error) error {
	return &Error{Status: ErrArgument, Message: what + ": " + cause.Error()}
}

// A table of the library's, to be freed; nil for an empty one, which is then not sent.
func newTable(what string, table Table) (*C.haigha_table, error) {
	if table == nil {
		return nil, nil
	}
	made, err := tableOf(table)
	if err != nil {
		return nil, argumentError(what, err)
	}
	return made, nil
}

func tableOf(table Table) (*C.haigha_table, error) {
	names := make([]string, 0, len(table))
	for name := range table {
		names = append(names, name)
	}
	sort.Strings(names)
	result := C.hg_table_new(0)
	if err := failure(result); err != nil {
		return nil, err
	}
	made := (*C.haigha_table)(result.object)
	for _, name := range names {
		if err := addField(made, name, table[name]); err != nil {
			C.haigha_table_free(made)
			return nil, fmt.Errorf("%q: %w", name, err)
		}
	}
	return made, nil
}

func arrayOf(values []any) (*C.haigha_table, error) {
	result := C.hg_table_new(1)
	if err := failure(result); err != nil {
		return nil, err
	}
	made := (*C.haigha_table)(result.object)
	for i, value := range values {
		if err := addField(made, "", value); err != nil {
			C.haigha_table_free(made)
			return nil, fmt.Errorf("element %d: %w", i, err)
		}
	}
	return made, nil
}

func addField(table *C.haigha_table, name string, value any) error {
	var nested *C.haigha_table
	var err error
	switch v := value.(type) {
	case Table:
		nested, err = tableOf(v)
	case map[string]any:
		nested, err = tableOf(v)
	case []any:
		nested, err = arrayOf(v)
	default:
		var f field
		if f, err = fieldOf(value); err != nil {
			return err
		}
		return failure(C.hg_table_add(table, name, f.letter, C.int64_t(f.integer), C.double(f.real),
			C.uint32_t(f.scale), f.text))
	}
	if err != nil {
		return err
	}
	defer C.haigha_table_free(nested)
	return failure(C.hg_table_add_table(table, name, nested))
}

// ---- reading -----------------------------------------------------------------------------------

// Calls back with every field of a level, which is freed.
func readLevel(level *C.hg_level, each func(name string, value any)) error {
	if level == nil {
		return &Error{Status: ErrMalformed, Message: "a table cannot be decoded"}
	}
	defer C.free(unsafe.Pointer(level))
	for {
		count := C.hg_level_next(level)
		if count < 0 {
			return &Error{Status: Status(count), Message: "a table cannot be decoded"}
		}
		for i := 0; i < int(count); i++ {
			value, err := readValue(level, i)
			if err != nil {
				return err
			}
			each(goString(level.fields[i].name), value)
		}
		if count < C.HG_FIELDS {
			return nil
		}
	}
}

func readTable(level *C.hg_level) (Table, error) {
	table := Table{}
	err := readLevel(level, func(name string, value any) { table[name] = value })
	return table, err
}

func readValue(level *C.hg_level, index int) (any, error) {
	f := &level.fields[index]
	switch f._type {
	case C.HAIGHA_FIELD_TABLE:
		return readTable(C.hg_level_enter(level, C.int32_t(index)))
	case C.HAIGHA_FIELD_ARRAY:
		values := []any{}
		err := readLevel(C.hg_level_enter(level, C.int32_t(index)),
			func(_ string, value any) { values = append(values, value) })
		return values, err
	case C.HAIGHA_FIELD_BOOL:
		return f.integer != 0, nil
	case C.HAIGHA_FIELD_INT8:
		return int8(f.integer), nil
	case C.HAIGHA_FIELD_UINT8:
		return uint8(f.integer), nil
	case C.HAIGHA_FIELD_INT16:
		return int16(f.integer), nil
	case C.HAIGHA_FIELD_UINT16:
		return uint16(f.integer), nil
	case C.HAIGHA_FIELD_INT32:
		return int32(f.integer), nil
	case C.HAIGHA_FIELD_UINT32:
		return uint32(f.integer), nil
	case C.HAIGHA_FIELD_INT64, C.HAIGHA_FIELD_INT64_L:
		return int64(f.integer), nil
	case C.HAIGHA_FIELD_FLOAT:
		return float32(f.real), nil
	case C.HAIGHA_FIELD_DOUBLE:
		return float64(f.real), nil
	case C.HAIGHA_FIELD_DECIMAL:
		return Decimal{Scale: uint8(f.scale), Value: int32(f.integer)}, nil
	case C.HAIGHA_FIELD_TIMESTAMP:
		return time.Unix(int64(f.integer), 0).UTC(), nil
	case C.HAIGHA_FIELD_BYTES:
		return C.GoBytes(unsafe.Pointer(f.bytes.data), C.int(f.bytes.size)), nil
	case C.HAIGHA_FIELD_STRING:
		return goString(f.bytes), nil
	}
	return nil, nil
}
