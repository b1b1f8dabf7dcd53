package dashboard_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/pinocchio-nose/pinocchio/internal/access"
	"github.com/pinocchio-nose/pinocchio/internal/certs/certtest"
	"github.com/pinocchio-nose/pinocchio/internal/pgtest"
)

// why is what the box for the token says, while it is open.
const why = `(document.getElementById('access').hidden ? '' : document.getElementById('access-why').textContent)`

// guarded writes what a node needs to ask for tokens and to speak TLS, and returns the folder and two tokens: one that reads all
// keys, and one for those of a team.
func guarded(t *testing.T) (folder, reads, team string) {
	t.Helper()
	folder = t.TempDir()
	reads, all, err := access.NewToken("watcher", access.Read, nil)
	if err != nil {
		t.Fatal(err)
	}
	team, some, err := access.NewToken("team", access.Read|access.Write, []string{"team:"})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "tokens"), []byte(all+"\n"+some+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	certtest.New(t).Issue(t, filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem"), certtest.Leaf{})
	return folder, reads, team
}

// give types a token and sends it, with the keyboard alone: the page has put the focus there.
func give(t *testing.T, ctx context.Context, token string) {
	t.Helper()
	until(t, ctx, "the focus in the box for the token", `document.activeElement.id === 'token'`)
	if err := chromedp.Do(ctx, chromedp.KeyEvent(token), chromedp.KeyEvent(kb.Enter)); err != nil {
		t.Fatal(err)
	}
}

func TestPage_AsksAPersonForATokenAndSpeaksTLS(t *testing.T) {
	pg := pgtest.Start(t)
	folder, reads, team := guarded(t)
	a := startChild(t, "a", pg.URL(pg.NewDatabase(t)), childGuard+"="+folder)
	ctx, bad := browse(t, chromedp.IgnoreCertErrors) // the authority is of this test
	at := strings.Replace(a.url, "http://", "https://", 1)
	if err := chromedp.Do(ctx, chromedp.Navigate(at+"/dashboard")); err != nil {
		t.Fatal(err)
	}

	until(t, ctx, "that a token is asked for", why+` === 'The node asks for an access token'`)
	until(t, ctx, "nothing that has no numbers yet", `![...document.querySelectorAll('.live')].some(e => e.checkVisibility())`)
	give(t, ctx, "mistyped")
	until(t, ctx, "that the token is not known", why+`.startsWith('The node does not accept this token')`)
	give(t, ctx, team)
	until(t, ctx, "that the token is for something else", why+`.includes('the credential is for some of them')`)
	useAs(t, ctx, "team:1", `document.getElementById('answer').textContent === 'team:1 is now 1.'`)
	useAs(t, ctx, "other", `document.getElementById('answer').textContent.includes('prefix')`)

	checkAccess(t, ctx)
	if err := chromedp.Do(ctx, chromedp.Focus("#token")); err != nil {
		t.Fatal(err)
	}
	give(t, ctx, reads)
	until(t, ctx, "the cluster", isUp("a")+` && document.getElementById('access').hidden`)
	until(t, ctx, "the token nowhere but in this tab", `document.getElementById('token').value === '' && localStorage.length === 0 && document.cookie === '' && !location.href.includes('token')`)
	useAs(t, ctx, "team:1", `document.getElementById('answer').textContent.includes('lacks the scope write')`)

	if err := chromedp.Do(ctx, chromedp.Click("#access-open"), chromedp.Click("#access-forget")); err != nil {
		t.Fatal(err)
	}
	until(t, ctx, "that it has no token any more", why+` === 'The node asks for an access token' && document.getElementById('main').classList.contains('stale')`)
	if lines := bad.but("status of 401", "status of 403"); lines != "" {
		t.Errorf("the browser's console:\n%s", lines)
	}
}

// useAs increments a counter in the page, and waits for what the page says then.
func useAs(t *testing.T, ctx context.Context, key, says string) {
	t.Helper()
	if err := chromedp.Do(ctx, chromedp.SetValue("#key", key), chromedp.Focus("#delta"), chromedp.KeyEvent(kb.Enter)); err != nil {
		t.Fatal(err)
	}
	until(t, ctx, fmt.Sprintf("its answer for %s", key), says)
}
