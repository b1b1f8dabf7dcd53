package bench

import (
	"encoding/json"
	"net/url"
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"
)

// maxDigits is the length of the longest key number.
const maxDigits = len("99999999")

// template is a rendered request with a gap for the key's number. Only the number's length changes what stands before the gap
// (Content-Length), so there is one head for each length, and a request costs three copies however many keys there are.
type template struct {
	heads [maxDigits + 1][]byte
	tail  []byte
}

// append adds the request for a key to dst.
func (t *template) append(dst []byte, key int) []byte {
	dst = append(dst, t.heads[digits(key)]...)
	dst = strconv.AppendInt(dst, int64(key), 10)
	return append(dst, t.tail...)
}

func digits(n int) int {
	d := 1
	for n >= 10 {
		n /= 10
		d++
	}
	return d
}

// newTemplate cuts what render returns at the number, which stands last before a tail that does not depend on it.
func newTemplate(tail string, render func(number string) []byte) *template {
	t := &template{}
	for d := 1; d <= maxDigits; d++ {
		b := render(strings.Repeat("0", d))
		cut := len(b) - len(tail)
		t.heads[d], t.tail = b[:cut-d], b[cut:]
	}
	return t
}

// newIncrement is the template of an increment sent to host.
func newIncrement(o Options, host string) *template {
	open, tail := o.body()
	return newTemplate(tail, func(number string) []byte {
		req := o.post(host, "/api/v1/increment")
		body := open + number + tail
		req.Header.SetContentLength(len(body))
		return append(req.Header.AppendBytes(nil), body...)
	})
}

// newRead is the template of reading a key's total from host.
func newRead(o Options, host string) *template {
	path := "/api/v1/increment/" + url.PathEscape(o.KeyPrefix)
	const uri = "/"
	_, tail, _ := strings.Cut(string(o.request(fasthttp.MethodGet, host, uri).Header.AppendBytes(nil)), " "+uri)
	return newTemplate(tail, func(number string) []byte {
		return o.request(fasthttp.MethodGet, host, path+number).Header.AppendBytes(nil)
	})
}

// body returns what stands before and behind the key's number in the JSON of an increment.
func (o Options) body() (open, tail string) {
	prefix, _ := json.Marshal(o.KeyPrefix) // a string always marshals
	return `{"key":` + strings.TrimSuffix(string(prefix), `"`), `","value":` + strconv.FormatInt(o.Value, 10) + `}`
}

// post returns a request to count, without its body.
func (o Options) post(host, uri string) *fasthttp.Request {
	req := o.request(fasthttp.MethodPost, host, uri)
	req.Header.SetContentType("application/json")
	if o.Durability != "" {
		req.Header.Set("Durability", o.Durability)
	}
	if o.ReturnTotal {
		req.Header.Set("Prefer", "return=representation")
	}
	return req
}

// request returns a request that shows the token.
func (o Options) request(method, host, uri string) *fasthttp.Request {
	req := newRequest(method, host, uri)
	if o.Token != "" {
		req.Header.Set("Authorization", "Bearer "+o.Token)
	}
	return req
}

// newRequest returns a request whose URI is sent as it is given.
func newRequest(method, host, uri string) *fasthttp.Request {
	req := &fasthttp.Request{}
	req.Header.SetMethod(method)
	req.Header.SetRequestURI(uri)
	req.Header.SetHost(host)
	req.Header.SetUserAgent("pinocchio-bench")
	return req
}
