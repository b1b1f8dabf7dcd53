package httpapi

import (
	"strings"
	"testing"
)

func TestIdempotencyKey_ReachesTheNodeInEachForm(t *testing.T) {
	long := strings.Repeat("k", 255)
	f := &fakeService{keep: true}
	h := start(t, f)
	for line, want := range map[string]string{
		`Idempotency-Key: "8e03978e-40d5"`:         "8e03978e-40d5",
		`idempotency-key:   "a b,c;d"  `:           "a b,c;d",
		`Idempotency-Key: "a\"b\\c"`:               `a"b\c`,
		`Idempotency-Key: 8e03978e-40d5`:           "8e03978e-40d5",
		`Idempotency-Key: QUJD+/==`:                "QUJD+/==",
		`Idempotency-Key: "` + long + `"`:          long,
		`Idempotency-Key: ` + long:                 long,
		`Idempotency-Key: "~ !"`:                   "~ !",
		`X-Idempotency-Key: "of another standard"`: "",
	} {
		if got := h.do(post(increment, line)); got.StatusCode != 202 || string(f.last().ID) != want {
			t.Errorf("%s: %d %s, the node got %q", line, got.StatusCode, got.body, f.last().ID)
		}
	}
}

func TestIdempotencyKey_IsRefusedWhenItIsNone(t *testing.T) {
	f := &fakeService{}
	h := start(t, f)
	for _, lines := range []string{
		`Idempotency-Key: `, `Idempotency-Key: ""`, `Idempotency-Key: "`, `Idempotency-Key: "a`, `Idempotency-Key: a"`,
		`Idempotency-Key: "a"b"`, `Idempotency-Key: "a\"`, `Idempotency-Key: "a\n"`, `Idempotency-Key: "a";x=1`, `Idempotency-Key: a b`,
		`Idempotency-Key: a, b`, `Idempotency-Key: "a", "b"`, `Idempotency-Key: a\b`, `Idempotency-Key: ключ`, `Idempotency-Key: "ключ"`,
		"Idempotency-Key: \"a\tb\"", `Idempotency-Key: "` + strings.Repeat("k", 256) + `"`, `Idempotency-Key: ` + strings.Repeat("k", 256),
		"Idempotency-Key: \"a\"\r\nIdempotency-Key: \"a\"", "Idempotency-Key: \"a\"\r\nidempotency-key: \"b\"",
	} {
		got := h.do(post(increment, lines))
		if got.StatusCode != 400 || !strings.HasPrefix(got.body, `{"errors":{"idempotency_key":["must be one line of 1 to 255`) {
			t.Errorf("%q: %d %s", lines, got.StatusCode, got.body)
		}
	}
	if f.counted() != 0 {
		t.Error("something was counted")
	}
}

func TestIdempotencyKey_SaysThatItWasReplayed(t *testing.T) {
	for _, replayed := range []bool{true, false} {
		want := ""
		if replayed {
			want = "true"
		}
		h := start(t, &fakeService{replayed: replayed})
		for status, headers := range map[int][]string{202: {`Idempotency-Key: "a"`}, 200: {`Idempotency-Key: "a"`, "Prefer: return=representation"}} {
			got := h.do(post(increment, headers...))
			if got.StatusCode != status || got.Header.Get("Idempotency-Replayed") != want {
				t.Errorf("replayed %v: %d %v", replayed, got.StatusCode, got.Header)
			}
		}
	}
}
