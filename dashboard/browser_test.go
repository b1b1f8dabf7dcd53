package dashboard_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/pinocchio-nose/pinocchio/internal/pgtest"
)

// patience is how long the test waits for what must happen; most of it happens within a fraction.
const patience = 40 * time.Second

// complaints collects what the browser writes to its console as an error, and exceptions.
type complaints struct {
	mu    sync.Mutex
	lines []string
}

func (c *complaints) add(line string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lines = append(c.lines, line)
}

func (c *complaints) String() string { return c.but() }

// but returns the complaints without those that have one of the texts.
func (c *complaints) but(texts ...string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(slices.DeleteFunc(slices.Clone(c.lines), func(line string) bool {
		return slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(line, text) })
	}), "\n")
}

// browse starts Chromium until the test ends.
func browse(t *testing.T, more ...chromedp.ExecAllocatorOption) (context.Context, *complaints) {
	t.Helper()
	var program string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if found, err := exec.LookPath(name); err == nil {
			program = found
			break
		}
	}
	if program == "" {
		t.Fatal("no Chromium in PATH: scripts/need chromium installs it, or says how")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.WindowSize(1280, 1000))
	options = append(options, more...)
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium's sandbox does not work for root
	}
	alloc, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(alloc)
	bad := &complaints{}
	messages := chromedp.Console(ctx)
	var reading sync.WaitGroup
	reading.Go(func() {
		for m, err := range messages {
			if err != nil {
				return // the end of the test
			}
			if m.Type == chromedp.ConsoleError || m.Type == chromedp.ConsoleWarning || m.IsException() {
				bad.add(m.String())
			}
		}
	})
	t.Cleanup(func() { cancel(); reading.Wait() })
	return ctx, bad
}

// until waits until the expression is true in the page.
func until(t *testing.T, ctx context.Context, what, expression string) {
	t.Helper()
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, err := chromedp.Run(limited, chromedp.Poll[bool](expression, chromedp.WithPollingInterval(100*time.Millisecond)))
	if err != nil {
		body, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body.innerText`))
		t.Fatalf("the page never shows %s: %v\n%s", what, err, body)
	}
}

// load increments until the test ends.
func load(t *testing.T, at string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	for i := range 4 {
		done.Go(func() {
			for ctx.Err() == nil {
				r, err := http.NewRequestWithContext(ctx, http.MethodPost, at+"/api/v1/increment", strings.NewReader(fmt.Sprintf(`{"key":"busy:%d","value":1}`, i)))
				if err != nil {
					t.Error(err)
					return
				}
				answer, err := http.DefaultClient.Do(r)
				if err != nil {
					continue // the end of the test
				}
				_ = answer.Body.Close()
			}
		})
	}
	t.Cleanup(func() { cancel(); done.Wait() })
}

const (
	row = `document.querySelector('#members tr[data-name="%s"]')`
	up  = `%s?.children[1].textContent === 'up'`
	// changed is true when the list of what changed has that text.
	changed = `document.getElementById('changes').textContent.includes(%q)`
	// happened is true when the chart says so where it happened.
	happened = `[...document.querySelectorAll('#chart text')].some(e => e.textContent === %q)`
)

// says waits until the element's text is of that form.
func says(t *testing.T, ctx context.Context, id, form string) {
	t.Helper()
	until(t, ctx, "in "+id+" what is of the form "+form, fmt.Sprintf(`/%s/.test(document.getElementById(%q).textContent)`, form, id))
}

// column waits until the member's cell below that title is of that form.
func column(t *testing.T, ctx context.Context, member, title, form string) {
	t.Helper()
	until(t, ctx, title+" of "+member, fmt.Sprintf(
		`/%s/.test(%s?.children[[...document.querySelectorAll('#members thead th')].findIndex(th => th.textContent === %q)].textContent)`,
		form, fmt.Sprintf(row, member), title))
}

func isUp(name string) string { return fmt.Sprintf(up, fmt.Sprintf(row, name)) }

func TestPage_ShowsTheWholeClusterLiveInABrowser(t *testing.T) {
	pg := pgtest.Start(t)
	url := pg.URL(pg.NewDatabase(t))
	a, b := startChild(t, "a", url), startChild(t, "b", url)
	ctx, bad := browse(t)
	load(t, a.url)
	if err := chromedp.Do(ctx, chromedp.Navigate(a.url+"/dashboard")); err != nil {
		t.Fatal(err)
	}

	until(t, ctx, "both nodes", isUp("a")+"&&"+isUp("b"))
	until(t, ctx, "a rate", `parseInt(document.getElementById('rate').textContent.replace(/,/g, '')) > 0`)
	before, err := chromedp.Run(ctx, chromedp.TextContent("#rate"))
	if err != nil {
		t.Fatal(err)
	}
	until(t, ctx, "another rate", fmt.Sprintf(`document.getElementById('rate').textContent !== %q`, before))
	says(t, ctx, "flush", `^[1-9][0-9.]* m?s$|^0\.[0-9] ms$`)
	says(t, ctx, "rows", `^[1-9][0-9]* rows\/s$`)
	until(t, ctx, "that nobody is denied", `(e => e.textContent === '0' && !e.classList.contains('warn'))(document.getElementById('denied'))`)
	for _, member := range []string{"a", "b"} {
		column(t, ctx, member, "Memory", `^[1-9][0-9]* MiB$`)
		column(t, ctx, member, "Goroutines", `^[1-9][0-9]+$`)
		column(t, ctx, member, "Flush", `^[1-9][0-9.]* m?s$|^0\.[0-9] ms$`)
	}
	until(t, ctx, "the busiest keys", `document.querySelector('#top tbody').textContent.includes('busy:')`)
	until(t, ctx, "a line in the chart", `document.querySelectorAll('#chart path').length >= 2`)
	until(t, ctx, "two colours in the ring", `new Set([...document.querySelectorAll('#ring path')].map(p => p.style.fill)).size === 2`)

	startChild(t, "c", url)
	until(t, ctx, "the node that joined", isUp("c"))
	until(t, ctx, "its partitions", `new Set([...document.querySelectorAll('#ring path')].map(p => p.style.fill)).size === 3`)
	until(t, ctx, "from where they moved", `document.querySelectorAll('#ring .moved').length > 0 && `+fmt.Sprintf(changed, "a → c"))
	until(t, ctx, "when it joined", fmt.Sprintf(changed, "c joined")+"&&"+fmt.Sprintf(happened, "c joined"))

	b.kill(t)
	until(t, ctx, "the killed node in red", fmt.Sprintf(`%s?.classList.contains('gone')`, fmt.Sprintf(row, "b")))
	until(t, ctx, "for how long it is gone", fmt.Sprintf(`/^gone for [1-9][0-9]* s$/.test(%s?.children[1].textContent)`, fmt.Sprintf(row, "b")))
	until(t, ctx, "when it was lost", fmt.Sprintf(changed, "b is gone: its lease ran out")+"&&"+fmt.Sprintf(happened, "b lost"))
	until(t, ctx, "its partitions at others", `![...document.querySelectorAll('#ring path')].some(p => p.classList.contains('gone') || p.classList.contains('none'))`)

	t.Run("CounterByKeyboard", func(t *testing.T) { useCounter(t, ctx) })
	t.Run("Accessible", func(t *testing.T) { checkAccess(t, ctx) })
	if lines := bad.String(); lines != "" {
		t.Errorf("the browser's console:\n%s", lines)
	}
	t.Run("SilentNode", func(t *testing.T) { loseTheNode(t, ctx, a) }) // last: the browser complains of it, too
}

func TestPage_ShowsHowManyIncrementsAreDenied(t *testing.T) {
	pg := pgtest.Start(t)
	a := startChild(t, "a", pg.URL(pg.NewDatabase(t)), childRate+"=20/s")
	ctx, bad := browse(t)
	load(t, a.url)
	if err := chromedp.Do(ctx, chromedp.Navigate(a.url+"/dashboard")); err != nil {
		t.Fatal(err)
	}
	says(t, ctx, "denied", `^[1-9][0-9.,]*[KM]?$`)
	until(t, ctx, "them as a warning", `document.getElementById('denied').classList.contains('warn')`)
	says(t, ctx, "rate", `^([1-9]|1[0-9]|2[0-9])$`) // what the limit lets through
	if lines := bad.String(); lines != "" {
		t.Errorf("the browser's console:\n%s", lines)
	}
}

// loseTheNode pauses, continues and kills the node that serves the page: old numbers must never look like new ones.
func loseTheNode(t *testing.T, ctx context.Context, serving *child) {
	const stale = `document.getElementById('main').classList.contains('stale') && document.getElementById('connection').textContent`
	resume := serving.pause(t)
	until(t, ctx, "that the node is silent", stale+`.startsWith('The node has been silent for 5 s. What is shown is of ')`)
	resume()
	until(t, ctx, "the node again", `!document.getElementById('main').classList.contains('stale') && document.getElementById('connection').textContent === 'Live from a'`)
	serving.kill(t)
	until(t, ctx, "that the node is gone", stale+`.includes('What is shown is of ')`)
}

// useCounter increments and looks up with the keyboard alone.
func useCounter(t *testing.T, ctx context.Context) {
	err := chromedp.Do(ctx,
		chromedp.Focus("#key"), chromedp.KeyEvent(`odd "key"/ä`),
		chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Delete), chromedp.KeyEvent("9007199254740993"), chromedp.KeyEvent(kb.Enter))
	if err != nil {
		t.Fatal(err)
	}
	until(t, ctx, "the total", `document.getElementById('answer').textContent === 'odd "key"/ä is now 9007199254740993.'`)
	if err := chromedp.Do(ctx, chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Enter)); err != nil {
		t.Fatal(err)
	}
	until(t, ctx, "the counter", `document.getElementById('answer').textContent.startsWith('odd "key"/ä is 9007199254740993; the store has')`)
}
