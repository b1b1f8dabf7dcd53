package httpapi

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/valyala/fasthttp"
)

// loadSpec returns the document, which must be valid by itself.
func loadSpec(t *testing.T) *openapi3.T {
	t.Helper()
	for _, mime := range []string{"text/html", "text/css", "text/javascript", "text/event-stream", "image/svg+xml", "application/yaml", "application/x-ndjson"} {
		openapi3filter.RegisterBodyDecoder(mime, openapi3filter.FileBodyDecoder) // bodies that are just text
	}
	doc, err := openapi3.NewLoader().LoadFromData(spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return doc
}

// specPath is the documented path of a request target: that of its route, but for what the live page has below it.
func specPath(target string) string {
	path := pathOf([]byte(target))
	r, _ := match(path)
	switch rest, below := strings.CutPrefix(string(path), routePage.String()+"/"); {
	case r != routePage || !below:
		return r.String()
	case rest == "events":
		return "/dashboard/events"
	}
	return "/dashboard/{file}"
}

// exampleOf is a target that a documented path matches.
func exampleOf(path string) string {
	return strings.NewReplacer("{key}", "k", "{file}", "main.js").Replace(path)
}

// routeFaults compares the routes of the server with the paths of the document, both ways.
func routeFaults(doc *openapi3.T) (faults []string) {
	known := map[string]bool{}
	for r := routeIncrement; r < routeCount; r++ {
		known[r.String()] = true
		item := doc.Paths.Value(r.String())
		for method := range strings.SplitSeq(r.allow(), ", ") {
			if method != "HEAD" && (item == nil || item.GetOperation(method) == nil) {
				faults = append(faults, method+" "+r.String()+" is not documented")
			}
		}
	}
	for path, item := range doc.Paths.Map() {
		example := exampleOf(path)
		r, _ := match([]byte(example))
		if specPath(example) != path || !known[r.String()] {
			faults = append(faults, path+" is documented, but not served")
		}
		for method := range item.Operations() {
			if !slices.Contains(strings.Split(r.allow(), ", "), method) {
				faults = append(faults, method+" "+path+" is documented, but not taken")
			}
		}
	}
	return faults
}

// statusFaults compares the statuses that were met, as "GET /healthz 200", with those of the document, both ways.
func statusFaults(doc *openapi3.T, met map[string]bool) (faults []string) {
	documented := map[string]bool{}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			for status := range op.Responses.Map() {
				documented[method+" "+path+" "+status] = true
			}
		}
	}
	for answer := range met {
		if !documented[answer] {
			faults = append(faults, answer+" was answered, but is not documented")
		}
	}
	for answer := range documented {
		if !met[answer] {
			faults = append(faults, answer+" is documented, but was never answered")
		}
	}
	return faults
}

// plainHeaders are those that any answer may have, described or not.
func plainHeaders() []string {
	return []string{
		"Content-Type", "Content-Length", "Transfer-Encoding", "Date", "Server", "Connection", "Cache-Control",
		"Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy", "X-Accel-Buffering", // of the live page
	}
}

// validate checks an answer against the document, and also the request when it was taken for good.
func validate(t *testing.T, doc *openapi3.T, method, target string, header http.Header, body string, got answer) error {
	t.Helper()
	path := specPath(target)
	item := doc.Paths.Value(path)
	if item == nil || item.GetOperation(method) == nil {
		return fmt.Errorf("%s %s is not documented", method, path)
	}
	op := item.GetOperation(method)
	req := httptest.NewRequest(method, "/", strings.NewReader(body))
	req.URL.Path, req.Header = target, header
	_, req.URL.RawQuery, _ = strings.Cut(target, "?")
	in := &openapi3filter.RequestValidationInput{
		Request: req, PathParams: map[string]string{"key": "k", "file": "main.js"},
		Route:   &routers.Route{Spec: doc, Path: path, PathItem: item, Method: method, Operation: op},
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true, MultiError: true},
	}
	if got.StatusCode < 300 {
		if err := openapi3filter.ValidateRequest(t.Context(), in); err != nil {
			return fmt.Errorf("the request was good, but is not as documented: %w", err)
		}
	}
	response := op.Responses.Status(got.StatusCode)
	if response != nil && len(response.Value.Content) == 0 && got.body != "" {
		return fmt.Errorf("no body is documented, but %q came", got.body)
	}
	described := map[string]bool{}
	if response != nil {
		for name := range response.Value.Headers {
			described[http.CanonicalHeaderKey(name)] = true
		}
	}
	for name := range got.Header {
		if !described[name] && !slices.Contains(plainHeaders(), name) {
			return fmt.Errorf("the header %s is not documented", name)
		}
	}
	if strings.HasPrefix(got.Header.Get("Content-Type"), "application/x-ndjson") {
		if err := validateLines(doc, got.body); err != nil {
			return err
		}
	}
	return openapi3filter.ValidateResponse(t.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: got.StatusCode, Header: got.Header,
		Body: io.NopCloser(bytes.NewReader([]byte(got.body))), Options: in.Options,
	})
}

// validateLines checks that each line is an outcome.
func validateLines(doc *openapi3.T, body string) error {
	for line := range strings.Lines(body) {
		if err := doc.Components.Schemas["Outcome"].Value.VisitJSON(decode(line)); err != nil {
			return err
		}
	}
	return nil
}

// TestSpec_IsWhatTheServerDoes drives every route, status and error, and is red for what is only on one side.
func TestSpec_IsWhatTheServerDoes(t *testing.T) {
	doc := loadSpec(t)
	for _, fault := range routeFaults(doc) {
		t.Error(fault)
	}
	met := map[string]bool{}
	for _, p := range slices.Concat(probes(), commonProbes(doc), deniedProbes(t, doc)) {
		got := p.run(t)
		method, rest, _ := strings.Cut(p.request, " ")
		target, _, _ := strings.Cut(rest, " ")
		if got.StatusCode != p.status {
			t.Errorf("%s %s: %d %s, want %d", method, target, got.StatusCode, got.body, p.status)
		}
		met[fmt.Sprintf("%s %s %d", method, specPath(target), got.StatusCode)] = true
		if err := validate(t, doc, method, target, p.header(), p.body(), got); err != nil {
			t.Errorf("%s %s: %d %.200s: %v", method, target, got.StatusCode, got.body, err)
		}
	}
	for _, fault := range statusFaults(doc, met) {
		t.Error(fault)
	}
	t.Logf("%d answers on %d paths", len(met), doc.Paths.Len())
	testSpecNoticesWhatIsMissing(t, met)
}

// testSpecNoticesWhatIsMissing takes each path and each status away in turn: the comparison must name it.
func testSpecNoticesWhatIsMissing(t *testing.T, met map[string]bool) {
	t.Helper()
	for r := routeIncrement; r < routeCount; r++ {
		doc := loadSpec(t)
		doc.Paths.Delete(r.String())
		if faults := routeFaults(doc); len(faults) == 0 || !strings.Contains(faults[0], r.String()) {
			t.Errorf("%s can be taken away unnoticed: %v", r, faults)
		}
	}
	for answer := range met {
		part := strings.Fields(answer)
		doc := loadSpec(t)
		doc.Paths.Value(part[1]).GetOperation(part[0]).Responses.Delete(part[2])
		if faults := statusFaults(doc, met); len(faults) != 1 || !strings.HasPrefix(faults[0], answer) {
			t.Errorf("%s can be taken away unnoticed: %v", answer, faults)
		}
	}
	doc := loadSpec(t)
	doc.Paths.Set("/api/v1/more", doc.Paths.Value("/healthz"))
	if faults := routeFaults(doc); len(faults) != 1 {
		t.Errorf("a path that is not served goes unnoticed: %v", faults)
	}
	if faults := statusFaults(doc, met); len(faults) == 0 {
		t.Error("statuses that are never answered go unnoticed")
	}
}

func TestSpec_IsServedAsItIs(t *testing.T) {
	got := start(t, &fakeService{}).do(get("/openapi.yaml"))
	if got.StatusCode != 200 || got.body != string(spec) || got.Header.Get("Content-Type") != "application/yaml" {
		t.Errorf("%d %v %.100s", got.StatusCode, got.Header, got.body)
	}
}

func TestSpec_HEADIsAnsweredWhereverGETIs(t *testing.T) {
	h := start(t, &fakeService{}, func(c *Config) { c.Page = func(*fasthttp.RequestCtx, func() bool) {} })
	for path, item := range loadSpec(t).Paths.Map() {
		target := exampleOf(path)
		if item.Get == nil {
			continue
		}
		if got := h.do(request("HEAD", target, "")); got.StatusCode != 200 || got.body != "" {
			t.Errorf("HEAD %s: %d %q", target, got.StatusCode, got.body)
		}
	}
}
