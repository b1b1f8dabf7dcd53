package dashboard_test

import (
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/valyala/fasthttp"

	"github.com/pinocchio-nose/pinocchio/dashboard"
	"github.com/pinocchio-nose/pinocchio/node"
)

// markup is what a stranger would send to get into the page.
const markup = `<img src=x onerror="document.title='owned'"><b class=owned>x</b>`

// mocking is a cluster in which strangers chose every text.
type mocking struct{}

func (mocking) Live(map[string]int64) node.LiveStatus {
	out := node.LiveStatus{Owners: []string{"1"}, Nodes: []node.LiveNode{{
		ID: "1", Name: markup, Trusted: true, StoreOK: true, Ready: true,
		Points: []node.LivePoint{{Time: time.Now().Unix(), Rate: 5}}, Top: []node.HotKey{{Key: markup, Least: 9, Most: 9}},
	}}}
	out.Cluster.Cluster, out.Cluster.Node = markup, markup
	out.Cluster.Members = []node.MemberStatus{{ID: "1", Name: markup, HTTPAddr: markup, Alive: true, LeaseLeft: time.Second, Owned: 1, Wanted: 1}}
	return out
}

// mock serves the page of such a cluster; an increment is taken, a lookup is refused with their text.
func mock(t *testing.T) (base string) {
	t.Helper()
	d := dashboard.New(mocking{}, slog.New(slog.DiscardHandler))
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &fasthttp.Server{Handler: func(ctx *fasthttp.RequestCtx) {
		switch path := string(ctx.Path()); {
		case ctx.IsPost():
			ctx.SetBodyString(`{"data":{"value":5}}`)
		case strings.HasPrefix(path, "/api/"):
			ctx.SetStatusCode(fasthttp.StatusUnprocessableEntity)
			ctx.SetBodyString(`{"errors":{"key":["<b class=owned>x</b> is no key"]}}`)
		default:
			d.Serve(ctx, func() bool { return true })
		}
	}}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	t.Cleanup(func() {
		d.Close()
		if err := s.Shutdown(); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return "http://" + ln.Addr().String()
}

// Keys, names and answers are text, whatever stands in them. The policy of the page would keep such a script from running; the page
// must not need it.
func TestPage_TakesKeysForText(t *testing.T) {
	base := mock(t)
	ctx, _ := browse(t)
	if err := chromedp.Do(ctx, chromedp.Navigate(base+"/dashboard")); err != nil {
		t.Fatal(err)
	}
	has := func(selector, text string) string {
		return fmt.Sprintf(`document.querySelector(%q).textContent.includes(%q)`, selector, text)
	}
	until(t, ctx, "the key as it is", has("#top tbody", markup))
	until(t, ctx, "the node's name as it is", has("#members tbody", markup))
	if err := chromedp.Do(ctx, chromedp.Focus("#key"), chromedp.KeyEvent(markup), chromedp.KeyEvent(kb.Enter)); err != nil {
		t.Fatal(err)
	}
	until(t, ctx, "the answer with the key as it is", has("#answer", markup+" is now 5."))
	if err := chromedp.Do(ctx, chromedp.Click("#look")); err != nil {
		t.Fatal(err)
	}
	until(t, ctx, "the refusal as it is", has("#answer", "<b class=owned>x</b> is no key"))
	found, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.title + ' ' + document.querySelectorAll('.owned, img').length`))
	if err != nil {
		t.Fatal(err)
	}
	if found != markup+" – Pinocchio 0" { // the title is the cluster's name: text, too
		t.Errorf("the page has taken a stranger's markup: title and elements %q", found)
	}
}
