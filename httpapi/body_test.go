package httpapi

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	strictjson "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
)

// bodies are the seeds of the fuzz test: what clients send, and what is almost that.
func bodies() []string {
	return []string{
		`{"key":"page:1","value":3}`, `{"value":-3,"key":"ключ"}`, "\t{ \"key\" : \"a\" ,\r\n\"value\" : \"12\" } ",
		`{"key":"\u043a\ud83d\ude00\n\"\\\/","value":0}`, `{"\u006bey":"a","value":1}`, `{}`, `{"key":"a"}`, `{"value":9223372036854775807}`,
		`{"key":"a","value":1,"other":{"x":[1,2,{"y":null}]}}`, `{"key":null,"value":true}`, `{"key":"a","key":"b"}`, `{"key":"a","value":1}x`,
		`{"key":"a","value":1.5}`, `{"key":"a","value":1e3}`, `{"key":"a","value":-}`, `{"key":"a","value":01}`, `{"key":"a","value":-0}`,
		`{"key":"\ud83d","value":1}`, `{"key":"\ude00\ud83d","value":1}`, `{"key":"\u00","value":1}`, "{\"key\":\"\xff\"}", "{\"key\":\"\xed\xa0\x80\"}",
		"{\"key\":\"\x7f\x1f\"}", `{"key":"a\`, `{"key":"a\"`, `{"key":"a","value":"\u0031"}`, `[{}]`, `null`, `"key"`, `1`, ``, ` `, `{`, `{"key"`, `{"key":`,
		`{,}`, `{"key":"a",}`, `{"key":"a" "value":1}`, `{"key":{"key":1},"value":[]}`, "\ufeff{}", `{"a":1,"a":2}`, `{"":""}`, `{"value":18446744073709551616}`,
	}
}

// FuzzScan checks the hand scanner against the strict library: what scan accepts, the library accepts, with the same
// texts; what the clients' ordinary shape is, scan accepts. And it checks our reading of the library's tokens against
// the library's own unmarshalling.
func FuzzScan(f *testing.F) {
	for _, body := range bodies() {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		before := bytes.Clone(body)
		scanned, _, ok := scan(body, make([]byte, 0, 8))
		if !bytes.Equal(body, before) {
			t.Fatalf("scan changed the body %q to %q", before, body)
		}
		want, err := oracle(body)
		if ok && err != nil {
			t.Fatalf("scan accepts %q, the library says %v", body, err)
		}
		if ok && !sameFields(scanned, want) {
			t.Fatalf("scan of %q: %+v, want %+v", body, scanned, want)
		}
		if !ok && err == nil && ordinary(want, body) {
			t.Fatalf("scan leaves the ordinary body %q to the slow reader", body)
		}
		got, readErr := read(body)
		if (readErr == nil) != (err == nil) {
			t.Fatalf("read of %q: %v, the library says %v", body, readErr, err)
		}
		if readErr == nil && !sameFields(got, want) {
			t.Fatalf("read of %q: %+v, want %+v", body, got, want)
		}
		if readErr != nil && !utf8.ValidString(readErr.Error()) {
			t.Fatalf("read of %q: the error %q is no text", body, readErr)
		}
	})
}

// oracle reads a body by unmarshalling: a map refuses repeated names and keeps each value's bytes.
func oracle(body []byte) (fields, error) {
	var object map[string]jsontext.Value
	if err := strictjson.Unmarshal(body, &object); err != nil {
		return fields{}, err
	}
	if object == nil {
		return fields{}, errNoObject
	}
	of := func(name string) field {
		raw, ok := object[name]
		if !ok {
			return field{}
		}
		switch raw.Kind() {
		case 'n':
			return field{kind: kindNull}
		case '"':
			text, err := jsontext.AppendUnquote(nil, raw)
			if err != nil {
				panic(err)
			}
			return field{kindString, text}
		case '0':
			return field{kindNumber, raw}
		}
		return field{kind: kindOther}
	}
	return fields{
		key: of("key"), value: of("value"), id: of("id"),
		min: of("min"), max: of("max"), overflow: of("overflow"),
	}, nil
}

func sameFields(a, b fields) bool {
	same := func(a, b field) bool { return a.kind == b.kind && bytes.Equal(a.text, b.text) }
	return same(a.key, b.key) && same(a.value, b.value) && same(a.id, b.id) &&
		same(a.min, b.min) && same(a.max, b.max) && same(a.overflow, b.overflow)
}

// ordinary tells whether a body has the two names and nothing else, with types that an increment has.
func ordinary(f fields, body []byte) bool {
	var object map[string]any
	if json.Unmarshal(body, &object) != nil || len(object) != 2 {
		return false
	}
	return f.key.kind == kindString && (f.value.kind == kindString || f.value.kind == kindNumber && integral(f.value.text))
}

func TestScan_ReadsTheOrdinaryBodiesByItself(t *testing.T) {
	for body, want := range map[string]fields{
		`{"key":"a","value":3}`:                    {key: field{kindString, []byte("a")}, value: field{kindNumber, []byte("3")}},
		` { "value" : "-3" , "key" : "ключ" } `:    {key: field{kindString, []byte("ключ")}, value: field{kindString, []byte("-3")}},
		`{"k\u0065y":"\u0041\n","value":"\u0033"}`: {key: field{kindString, []byte("A\n")}, value: field{kindString, []byte("3")}},
		`{}`: {},
	} {
		got, _, ok := scan([]byte(body), nil)
		if !ok || !sameFields(got, want) {
			t.Errorf("%s: %v %+v", body, ok, got)
		}
	}
}

// Two texts with escapes stand in one scratch: the second must not move the first.
func TestScan_KeepsEarlierTextsWhenTheScratchGrows(t *testing.T) {
	long := strings.Repeat(`\u0061`, 300)
	for _, room := range []int{0, 1, 10, 2000, 4000} {
		got, grown, ok := scan([]byte(`{"key":"`+long+`","value":"`+long+`"}`), make([]byte, 0, room))
		want := strings.Repeat("a", 300)
		if diff := cmp.Diff([]string{want, want}, []string{string(got.key.text), string(got.value.text)}); !ok || diff != "" {
			t.Errorf("room %d: %v %s", room, ok, diff)
		}
		if cap(grown) < 300 {
			t.Errorf("room %d: the grown scratch is not given back", room)
		}
	}
}

func TestScratch_KeepsNoLargeBuffer(t *testing.T) {
	var p scratchPool
	large := make([]byte, 0, 1<<20)
	p.put(&large)
	if got := p.get(); cap(*got) == 1<<20 {
		t.Error("a buffer of 1 MiB was kept")
	}
}

func TestUnescapePath_IsTheInverseOfEncoding(t *testing.T) {
	for b := range 256 {
		const hex = "0123456789abcdef"
		for _, digits := range []string{hex, strings.ToUpper(hex)} {
			raw := []byte{'x', '%', digits[b>>4], digits[b&15], 'y'}
			got, err := unescapePath(nil, raw)
			if err != nil || !bytes.Equal(got, []byte{'x', byte(b), 'y'}) {
				t.Errorf("%s: %q %v", raw, got, err)
			}
		}
	}
}
