package main

import (
	"bytes"
	"context"
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

const (
	settle    = 300 * time.Millisecond // for a change of the window to be drawn
	aftermath = 3 * time.Second        // of what happened, in the picture of it
	calm      = 8 * time.Second        // between a kill and a join: the marks of the moves go
)

// pictures takes all pictures, from the node at that address.
func pictures(ctx context.Context, c *cluster, at string) error {
	program, err := browser()
	if err != nil {
		return err
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.WindowSize(1240, 900))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium's sandbox does not work for root
	}
	alloc, stop := chromedp.NewExecAllocator(ctx, options...)
	defer stop()
	tab, closeTab := chromedp.NewContext(alloc)
	defer closeTab()
	if err := chromedp.Do(tab, chromedp.Navigate(at+"/dashboard")); err != nil {
		return err
	}
	steps := []func() error{
		func() error { return chromedp.Do(tab, press("1"), chromedp.Sleep(warmUp)) },
		func() error { return picture(tab, "dashboard-load-light", "light", 1240) },
		func() error { return picture(tab, "dashboard-load-dark", "dark", 1240) },
		func() error { return picture(tab, "dashboard-narrow", "light", 400) },
		func() error { c.kill("n3"); return until(tab, `document.querySelector('#ring .gone')`) },
		func() error { return picture(tab, "dashboard-kill", "light", 1240) },
		func() error { return until(tab, `document.querySelector('#ring .moved')`) },
		func() error { return chromedp.Do(tab, chromedp.Sleep(aftermath)) },
		func() error { return picture(tab, "dashboard-takeover", "dark", 1240) },
		func() error { return chromedp.Do(tab, chromedp.Sleep(calm)) },
		func() error { return c.start("n4", 3) },
		func() error {
			return until(tab, `parseInt(document.querySelector('tr[data-name=n4]')?.children[4].textContent) > 0 && document.querySelector('#ring .moved')`)
		},
		func() error { return chromedp.Do(tab, chromedp.Sleep(aftermath)) },
		func() error { return picture(tab, "dashboard-join", "light", 1240) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func press(minutes string) chromedp.Action[chromedp.Void] {
	return chromedp.Click(fmt.Sprintf(`[data-minutes="%s"]`, minutes))
}

func until(tab context.Context, expression string) error {
	ctx, cancel := context.WithTimeout(tab, 30*time.Second)
	defer cancel()
	if _, err := chromedp.Run(ctx, chromedp.Poll[any]("Boolean("+expression+")")); err != nil {
		return fmt.Errorf("the page never shows %s: %w", expression, err)
	}
	return nil
}

// picture writes the whole page, in a colour scheme and as wide as that.
func picture(tab context.Context, name, scheme string, width int64) error {
	_, err := chromedp.Call(tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	if err != nil {
		return err
	}
	if err := chromedp.Do(tab, chromedp.EmulateViewport(width, 900), chromedp.Sleep(settle)); err != nil {
		return err
	}
	image, err := chromedp.Run(tab, chromedp.FullScreenshot(100))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	if image, err = smaller(image); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, name+".png"), image, 0o644)
}

// smaller packs a PNG better than the browser does, which is in a hurry.
func smaller(picture []byte) ([]byte, error) {
	drawn, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, drawn)
	return out.Bytes(), err
}
