package httpapi

import (
	"slices"
	"strings"
	"testing"

	"github.com/pinocchio-nose/pinocchio/node"
)

// bodyCase is an increment's body and what comes of it.
type bodyCase struct {
	name, body string
	status     int
	answer     string // "": not compared
	key        string // counted under this key, when the status is 202
	delta      int64
}

// valueCases are about what a value may be.
func valueCases() []bodyCase {
	return []bodyCase{
		{"plain", `{"key": "key1", "value": 3}`, 202, "", "key1", 3},
		{"no spaces, other order", `{"value":3,"key":"key1"}`, 202, "", "key1", 3},
		{"all kinds of space", "\r\n\t {\t\"key\" :\n\"key1\"\r, \"value\"\t:\n3 } \r\n", 202, "", "key1", 3},
		{"negative", `{"key":"key1","value":-3}`, 202, "", "key1", -3},
		{"zero", `{"key":"key1","value":0}`, 202, "", "key1", 0},
		{"minus zero", `{"key":"key1","value":-0}`, 202, "", "key1", 0},
		{"highest", `{"key":"key1","value":9223372036854775807}`, 202, "", "key1", 9223372036854775807},
		{"lowest", `{"key":"key1","value":-9223372036854775808}`, 202, "", "key1", -9223372036854775808},
		{"highest and one", `{"key":"key1","value":9223372036854775808}`, 422, errorsOf(badVal), "", 0},
		{"lowest less one", `{"key":"key1","value":-9223372036854775809}`, 422, errorsOf(badVal), "", 0},
		{"a hundred digits", `{"key":"key1","value":` + strings.Repeat("9", 100) + `}`, 422, errorsOf(badVal), "", 0},
		{"text", `{"key":"key1","value":"3"}`, 202, "", "key1", 3},
		{"negative text", `{"key":"key1","value":"-3"}`, 202, "", "key1", -3},
		{"lowest as text", `{"key":"key1","value":"-9223372036854775808"}`, 202, "", "key1", -9223372036854775808},
		{"text one beyond", `{"key":"key1","value":"9223372036854775808"}`, 422, errorsOf(badVal), "", 0},
		{"escaped digits", `{"key":"key1","value":"\u0033"}`, 202, "", "key1", 3},
		{"text with a plus", `{"key":"key1","value":"+3"}`, 422, errorsOf(badVal), "", 0},
		{"text with a leading zero", `{"key":"key1","value":"03"}`, 422, errorsOf(badVal), "", 0},
		{"text with a space", `{"key":"key1","value":" 3"}`, 422, errorsOf(badVal), "", 0},
		{"text of a fraction", `{"key":"key1","value":"3.0"}`, 422, errorsOf(badVal), "", 0},
		{"text of a minus", `{"key":"key1","value":"-"}`, 422, errorsOf(badVal), "", 0},
		{"fraction", `{"key":"key1","value":3.0}`, 422, errorsOf(badVal), "", 0},
		{"exponent", `{"key":"key1","value":1e3}`, 422, errorsOf(badVal), "", 0},
		{"true", `{"key":"key1","value":true}`, 422, errorsOf(badVal), "", 0},
		{"word", `{"key":"key1","value":"one"}`, 422, errorsOf(badVal), "", 0},
		{"array", `{"key":"key1","value":[3]}`, 422, errorsOf(badVal), "", 0},
		{"no value", `{"key":"key1"}`, 422, errorsOf(blankVal), "", 0},
		{"null value", `{"key":"key1","value":null}`, 422, errorsOf(blankVal), "", 0},
		{"empty value", `{"key":"key1","value":""}`, 422, errorsOf(blankVal), "", 0},
	}
}

// keyCases are about what a key, and a name in the body, may be.
func keyCases() []bodyCase {
	key512, key513 := strings.Repeat("k", 512), strings.Repeat("k", 513)
	return []bodyCase{
		{"no key", `{"value":3}`, 422, errorsOf(blankKey), "", 0},
		{"null key", `{"key":null,"value":3}`, 422, errorsOf(blankKey), "", 0},
		{"empty key", `{"key":"","value":3}`, 422, errorsOf(blankKey), "", 0},
		{"number as key", `{"key":5,"value":3}`, 422, errorsOf(badKey), "", 0},
		{"object as key", `{"key":{},"value":3}`, 422, errorsOf(badKey), "", 0},
		{"both missing", `{}`, 422, errorsOf(blankKey, blankVal), "", 0},
		{"both wrong", `{"key":5,"value":"one"}`, 422, errorsOf(badKey, badVal), "", 0},
		{"one missing, one wrong", `{"value":"one"}`, 422, errorsOf(blankKey, badVal), "", 0},
		{"slash in key", `{"key":"a/b","value":1}`, 202, "", "a/b", 1},
		{"escaped slash in key", `{"key":"a\/b","value":1}`, 202, "", "a/b", 1},
		{"Cyrillic", `{"key":"ключ","value":1}`, 202, "", "ключ", 1},
		{"Cyrillic, escaped", `{"key":"\u043a\u043b\u044e\u0447","value":1}`, 202, "", "ключ", 1},
		{"beyond the first plane, escaped", `{"key":"\ud83d\ude00","value":1}`, 202, "", "😀", 1},
		{"all short escapes", `{"key":"\"\\\/\b\f\n\r\t","value":1}`, 202, "", "\"\\/\b\f\n\r\t", 1},
		{"spaces are a key", `{"key":"  ","value":1}`, 202, "", "  ", 1},
		{"512 bytes", `{"key":"` + key512 + `","value":1}`, 202, "", key512, 1},
		{"513 bytes", `{"key":"` + key513 + `","value":1}`, 422, errorsOf(badKey), "", 0},
		{"513 bytes of two each", `{"key":"k` + strings.Repeat("к", 256) + `","value":1}`, 422, errorsOf(badKey), "", 0},
		{"512 bytes, all escaped", `{"key":"` + strings.Repeat(`\u006b`, 512) + `","value":1}`, 202, "", key512, 1},
		{"NUL in key", `{"key":"a\u0000b","value":1}`, 422, errorsOf(badKey), "", 0},
		{"escaped names", `{"\u006bey":"key1","valu\u0065":3}`, 202, "", "key1", 3},
		{"other names are ignored", `{"key":"key1","value":3,"at":{"key":[1,{"x":null}]},"b":true}`, 202, "", "key1", 3},
		{"names in other case are other names", `{"Key":"key1","VALUE":3}`, 422, errorsOf(blankKey, blankVal), "", 0},
	}
}

// shapeCases are bodies that are no object, and malformed ones whose answer says where.
func shapeCases() []bodyCase {
	object := `the body must be a JSON object such as {\"key\":\"page:1\",\"value\":3}`
	none := errorsOf(blankKey, blankVal, `"detail":["`+object+`"]`)
	malformed := func(text string) string { return `{"errors":{"detail":["malformed JSON` + text + `"]}}` }
	return []bodyCase{
		{"empty body", "", 422, none, "", 0},
		{"blank body", " \n", 422, none, "", 0},
		{"null", "null", 422, none, "", 0},
		{"array of one", `[{"key":"key1","value":3}]`, 422, none, "", 0},
		{"string", `"key1"`, 422, none, "", 0},
		{"form", "key=key1&value=3", 400, `{"errors":{"detail":["the body is a form, but must be JSON such as {\"key\":\"page:1\",\"value\":3}"]}}`, "", 0},
		{"duplicate key", `{"key":"a","key":"b","value":3}`, 400, malformed(`: the name \"key\" stands twice in one object`), "", 0},
		{"duplicate value", `{"key":"a","value":3,"value":3}`, 400, malformed(`: the name \"value\" stands twice in one object`), "", 0},
		{"duplicate by escape", `{"key":"a","value":3,"k\u0065y":"a"}`, 400, malformed(`: the name \"key\" stands twice in one object`), "", 0},
		{"duplicate of another name", `{"key":"a","value":3,"x":1,"x":1}`, 400, malformed(`: the name \"x\" stands twice in one object`), "", 0},
		{"duplicate inside", `{"key":"a","value":3,"x":{"y":1,"y":1}}`, 400, malformed(`: the name \"y\" stands twice in one object`), "", 0},
		{"trailing bytes", `{"key":"a","value":3}x`, 400, malformed(`: more follows the value that ends at byte 21`), "", 0},
		{"two objects", `{"key":"a","value":3} {}`, 400, malformed(`: more follows the value that ends at byte 21`), "", 0},
		{"array and trailing bytes", `[] x`, 400, malformed(`: more follows the value that ends at byte 2`), "", 0},
		{"cut off", `{"key":"a","value":3`, 400, malformed(`: it ends too early, at byte 20`), "", 0},
		{"cut off in a string", `{"key":"a`, 400, malformed(`: it ends too early, at byte 9`), "", 0},
	}
}

// syntaxCases are no JSON.
func syntaxCases() []bodyCase {
	return []bodyCase{
		{"comma at the end", `{"key":"a","value":3,}`, 400, "", "", 0},
		{"comma at the start", `{,"key":"a","value":3}`, 400, "", "", 0},
		{"no comma", `{"key":"a" "value":3}`, 400, "", "", 0},
		{"leading zero", `{"key":"a","value":03}`, 400, "", "", 0},
		{"leading plus", `{"key":"a","value":+3}`, 400, "", "", 0},
		{"bare minus", `{"key":"a","value":-}`, 400, "", "", 0},
		{"single quotes", `{'key':'a','value':3}`, 400, "", "", 0},
		{"byte order mark", "\ufeff" + `{"key":"a","value":3}`, 400, "", "", 0},
		{"bad UTF-8", "{\"key\":\"a\xff\",\"value\":3}", 400, "", "", 0},
		{"bad UTF-8 in a name", "{\"key\":\"a\",\"value\":3,\"\xff\":1}", 400, "", "", 0},
		{"first surrogate alone", `{"key":"\ud83d","value":3}`, 400, "", "", 0},
		{"second surrogate alone", `{"key":"\ude00","value":3}`, 400, "", "", 0},
		{"first surrogate twice", `{"key":"\ud83d\ud83d","value":3}`, 400, "", "", 0},
		{"unknown escape", `{"key":"\x41","value":3}`, 400, "", "", 0},
		{"short escape", `{"key":"\u41","value":3}`, 400, "", "", 0},
		{"escape at the end", `{"key":"a\","value":3}`, 400, "", "", 0},
		{"control character", "{\"key\":\"a\nb\",\"value\":3}", 400, "", "", 0},
	}
}

// TestContract_AnswersEachIncrementBody is the part of the contract that is about what an increment's body may be.
func TestContract_AnswersEachIncrementBody(t *testing.T) {
	for _, c := range slices.Concat(valueCases(), keyCases(), shapeCases(), syntaxCases()) {
		t.Run(c.name, func(t *testing.T) {
			f := &fakeService{keep: true}
			c.check(t, start(t, f).do(post(c.body)))
			if c.status == 202 {
				c.checkCounted(t, f)
			} else if n := f.counted(); n != 0 {
				t.Errorf("%d increments reached the node, want none", n)
			}
		})
	}
}

// check compares the answer.
func (c *bodyCase) check(t *testing.T, got answer) {
	t.Helper()
	if got.StatusCode != c.status {
		t.Fatalf("status %d, want %d; body %s", got.StatusCode, c.status, got.body)
	}
	if c.answer != "" && got.body != c.answer || c.status == 202 && got.body != "" {
		t.Errorf("body %s\nwant %s", got.body, c.answer)
	}
	if c.status == 400 && !strings.HasPrefix(got.body, `{"errors":{"detail":["`) {
		t.Errorf("body %s has not the shape of an error", got.body)
	}
	wantType := jsonType
	if c.status == 202 {
		wantType = ""
	}
	if ct := got.Header.Get("Content-Type"); ct != wantType {
		t.Errorf("content type %q, want %q", ct, wantType)
	}
}

// checkCounted compares what reached the node.
func (c *bodyCase) checkCounted(t *testing.T, f *fakeService) {
	t.Helper()
	in, n := f.last(), f.counted()
	if n != 1 || string(in.Key) != c.key || in.Delta != c.delta || in.Durability != node.DefaultDurability || in.Return {
		t.Errorf("the node got %d increments, the last %+v", n, in)
	}
}
