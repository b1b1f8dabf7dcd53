package httpapi

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	strictjson "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/pinocchio-nose/pinocchio/node"
)

const many = "/api/v1/increments"

func TestMany_AnswersEachItemInOrder(t *testing.T) {
	bad := func(fields ...string) string { return `{"status":422,` + errorsOf(fields...)[1:] }
	ok, badID := `{"status":202}`, `"id":["`+textBadItemID+`"]`
	items := []struct{ item, answer string }{
		{`{"key":"a","value":1}`, ok},
		{`{"id":"x 1","value":"-2","key":"b"}`, ok},
		{`{"key":"a","value":4,"id":null}`, ok},
		{`{"key":"\u0061","value":8,"id":"\u0078","other":[{}]}`, ok},
		{`{"key":"","value":1.5}`, bad(blankKey, badVal)},
		{`{}`, bad(blankKey, blankVal)},
		{`7`, bad(blankKey, blankVal)},
		{`{"key":"a","value":1,"id":5}`, bad(badID)},
		{`{"key":"a","value":1,"id":""}`, bad(badID)},
		{`{"key":"a","value":1,"id":"\n"}`, bad(badID)},
		{`{"key":"a","value":1,"max":5}`, bad(`"max":["` + textItemBound + `"]`)},
		{`{"key":"c","value":16}`, ok},
	}
	// The first items are those that the hand scanner reads; with all of them, the strict reader has to.
	for _, n := range []int{0, 2, len(items)} {
		var sent, want []string
		for _, it := range items[:n] {
			sent, want = append(sent, it.item), append(want, it.answer)
		}
		for form, row := range map[string][3]string{
			"array": {" [" + strings.Join(sent, " ,\n") + "] ", "[" + strings.Join(want, ",") + "]", jsonType},
			"lines": {"\n" + strings.Join(sent, "\r\n\n") + "\n", strings.Join(want, "\n") + "\n", "application/x-ndjson; charset=utf-8"},
		} {
			if n == 0 && form == "lines" {
				continue // an empty body: TestMany_RefusesABodyThatIsNone
			}
			f := &fakeService{keep: true}
			got := start(t, f).do(request("POST", many, row[0], "Content-Type: text/plain"))
			if got.StatusCode != 200 || got.body != row[1] || got.Header.Get("Content-Type") != row[2] {
				t.Errorf("%s of %d: %d %s\n%s\nwant %s", form, n, got.StatusCode, got.Header.Get("Content-Type"), got.body, row[1])
			}
			if n == 2 && (f.total("a") != 1 || f.total("b") != -2) {
				t.Errorf("%s: totals %v", form, f.totals)
			}
			if n == len(items) && (f.total("a") != 13 || f.total("b") != -2 || f.total("c") != 16 || string(f.seen[1].ID) != "x 1" || string(f.seen[3].ID) != "x") {
				t.Errorf("%s: the node got %+v", form, f.seen)
			}
		}
	}
}

func TestMany_RefusesABodyThatIsNoneAndCountsNothing(t *testing.T) {
	f := &fakeService{}
	h := start(t, f)
	item := `{"key":"a","value":1}`
	for body, status := range map[string]int{
		"": 400, " \n": 400, "key=a&value=1": 400, "[" + item: 400, "[" + item + ",]": 400, "[" + item + "]x": 400, "[" + item + "," + `{"key":"a","key":"b"}]`: 400,
		"[" + item + "," + item[:9] + "]":                         400,
		"[" + strings.Repeat(item+",", maxItems) + item + "]":     413,
		strings.Repeat(item+"\n", maxItems) + item:                413,
		"[" + strings.Repeat("null,", maxItems) + item + ",true]": 413,
	} {
		got := h.do(request("POST", many, body))
		if got.StatusCode != status || !strings.HasPrefix(got.body, `{"errors":{"detail":["`) {
			t.Errorf("%.40q: %d %s", body, got.StatusCode, got.body)
		}
	}
	if got := h.do("POST " + many + " HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999999\r\n\r\n"); got.StatusCode != 413 || !strings.Contains(got.body, fmt.Sprint("at most ", h.cfg.MaxBatchBytes, " bytes")) {
		t.Errorf("the limit is not said: %s", got.body)
	}
	got := h.do(request("POST", many, "["+item+"]", `Idempotency-Key: "a"`))
	if got.StatusCode != 400 || !strings.Contains(got.body, `\"id\"`) {
		t.Errorf("an Idempotency-Key: %d %s", got.StatusCode, got.body)
	}
	if got := h.do(request("POST", many, "\x1f\x8b", "Content-Encoding: gzip")); got.StatusCode != 415 || got.Header.Get("Accept-Encoding") != "identity" {
		t.Errorf("a compressed body: %d %s", got.StatusCode, got.body)
	}
	if f.counted() != 0 {
		t.Errorf("%d were counted", f.counted())
	}
	if got := h.do(request("POST", many, "["+strings.Repeat(item+",", maxItems-1)+item+"]")); got.StatusCode != 200 || f.counted() != maxItems {
		t.Errorf("as many as may be: %d, %d counted", got.StatusCode, f.counted())
	}
}

func TestMany_ABadLineIsItsOwnError(t *testing.T) {
	f := &fakeService{}
	got := start(t, f).do(request("POST", many, `{"key":"a","value":1`+"\n"+`{"key":"a","value":2}`+"\nx"))
	lines := strings.Split(got.body, "\n")
	if got.StatusCode != 200 || len(lines) != 4 || !strings.HasPrefix(lines[0], `{"status":400,"errors":{"detail":["each line must be`) ||
		lines[1] != `{"status":202}` || !strings.HasPrefix(lines[2], `{"status":400,`) || f.total("a") != 2 {
		t.Errorf("%d %s, total %d", got.StatusCode, got.body, f.total("a"))
	}
}

func TestMany_HeadersHoldForAllItems(t *testing.T) {
	f := &fakeService{keep: true, replayed: true}
	h := start(t, f)
	body := `[{"key":"a\"","value":1},{"key":"b","value":2}]`
	got := h.do(request("POST", many, body, "Prefer: return=representation", "Durability: database"))
	want := `[{"status":200,"data":{"key":"a\"","value":1},"replayed":true},{"status":200,"data":{"key":"b","value":2},"replayed":true}]`
	if got.StatusCode != 200 || got.body != want || got.Header.Get("Preference-Applied") != "return=representation" {
		t.Errorf("%d %s %v", got.StatusCode, got.body, got.Header)
	}
	for _, in := range f.seen {
		if in.Durability != node.Database || !in.Return {
			t.Errorf("the node got %+v", in)
		}
	}
	if got := h.do(request("POST", many, body, "Durability: tape")); got.StatusCode != 400 || f.counted() != 2 {
		t.Errorf("%d %s, %d counted", got.StatusCode, got.body, f.counted())
	}
	got = start(t, &fakeService{later: true}).do(request("POST", many, body, "Prefer: return=representation"))
	if want := `[{"status":202,"counted":"later"},{"status":202,"counted":"later"}]`; got.body != want {
		t.Errorf("%s", got.body)
	}
}

func TestMany_ErrorsOfTheNodeAreOfTheirItem(t *testing.T) {
	for _, row := range walkErrors() {
		f := &fakeService{err: fmt.Errorf("partition 7: %w", row.err)}
		h := start(t, f)
		got := h.do(request("POST", many, `[{"key":"a","value":1},{"key":"b"}]`))
		want := fmt.Sprintf(`[{"status":%d,%s,{"status":422,%s]`, row.status, row.body[1:], errorsOf(blankVal)[1:])
		if got.StatusCode != 200 || got.body != want {
			t.Errorf("%v: %d %s\nwant %s", row.err, got.StatusCode, got.body, want)
		}
		if logged := strings.Contains(h.logs.String(), "request failed"); logged != (row.status == 500) {
			t.Errorf("%v: logged %v", row.err, logged)
		}
	}
}

// FuzzBatch checks the reading of arrays by hand against the strict reader, and both against the library.
func FuzzBatch(f *testing.F) {
	for _, body := range bodies() {
		f.Add([]byte("[" + body + "]"))
		f.Add([]byte(`[{"key":"a","value":1,"id":"x"},` + body + "]"))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if len(body) == 0 || body[0] != '[' {
			return
		}
		var fast, slow batch
		scanned := fast.scanArray(body)
		err := slow.readArray(body)
		var oracle []jsontext.Value
		if known := strictjson.Unmarshal(body, &oracle); (known == nil) != (err == nil) && !errors.Is(err, errManyItems) {
			t.Fatalf("readArray of %q: %v, the library says %v", body, err, known)
		}
		if err == nil && slow.items != len(oracle) {
			t.Fatalf("readArray of %q: %d items, the library says %d", body, slow.items, len(oracle))
		}
		if scanned && (err != nil || !sameBatch(&fast, &slow)) {
			t.Fatalf("scanArray accepts %q as %+v, readArray says %v %+v", body, fast.in, err, slow.in)
		}
	})
}

func sameBatch(a, b *batch) bool {
	if a.items != b.items || len(a.in) != len(b.in) || fmt.Sprint(a.refused) != fmt.Sprint(b.refused) {
		return false
	}
	for i := range a.in {
		x, y := a.in[i], b.in[i]
		if !bytes.Equal(x.Key, y.Key) || x.Delta != y.Delta || !bytes.Equal(x.ID, y.ID) || (x.ID == nil) != (y.ID == nil) {
			return false
		}
	}
	return true
}

func (q *quickService) IncrementMany(in []node.Increment, _ []node.Outcome) { q.n += int64(len(in)) }

func manyBodies(items int) map[string]string {
	item := `{"key":"page:1","value":3,"id":"order-17"}`
	return map[string]string{
		"array": "[" + strings.Repeat(item+",", items-1) + item + "]",
		"lines": strings.Repeat(item+"\n", items),
	}
}

func TestMany_AllocatesNothingForAnItem(t *testing.T) {
	s, q := quickServer(t)
	for form, body := range manyBodies(1000) {
		ctx := requestContext(body)
		ctx.Request.SetRequestURI(many)
		allocs := testing.AllocsPerRun(100, func() {
			ctx.Response.Reset()
			s.handle(ctx)
		})
		if q.n == 0 || ctx.Response.StatusCode() != 200 {
			t.Fatalf("%s: %d", form, ctx.Response.StatusCode())
		}
		if allocs > 20 && !raceEnabled { // of 1,000 items
			t.Errorf("%s: %v allocations", form, allocs)
		}
	}
}

func BenchmarkMany(b *testing.B) {
	for form, body := range manyBodies(1000) {
		b.Run(form, func(b *testing.B) {
			s, _ := quickServer(b)
			ctx := requestContext(body)
			ctx.Request.SetRequestURI(many)
			b.ReportAllocs()
			for b.Loop() {
				ctx.Response.Reset()
				s.handle(ctx)
			}
			b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "items/s")
		})
	}
}

func TestMany_LogsOneLineHoweverManyItemsFail(t *testing.T) {
	h := start(t, &fakeService{err: errors.New("gremlins")})
	got := h.do(request("POST", many, "["+strings.Repeat(`{"key":"a","value":1},`, 99)+`{"key":"a","value":1}]`))
	if n := strings.Count(got.body, `"status":500`); n != 100 {
		t.Errorf("%d items failed", n)
	}
	logged := h.logs.String()
	if strings.Count(logged, "\n") != 1 || !strings.Contains(logged, "count=100 first=gremlins") {
		t.Errorf("logged %s", logged)
	}
}
