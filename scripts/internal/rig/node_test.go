package rig

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// node is one whose program tells its arguments and ends.
func node(t *testing.T) *Node {
	t.Helper()
	folder := t.TempDir()
	program := filepath.Join(folder, "program")
	if err := os.WriteFile(program, []byte("#!/bin/sh\necho \"$@\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return &Node{
		Program: program, Name: "n1", HTTP: "h:1", Peer: "h:2", Gossip: "h:3", Store: "postgres://s", Log: filepath.Join(folder, "log"),
		Lease: 6 * time.Second,
	}
}

// says starts a process of the node, waits for its end and returns the node's log.
func says(t *testing.T, n *Node, header string) string {
	t.Helper()
	p, err := n.Start(header)
	if err != nil {
		t.Fatal(err)
	}
	if status, ended := p.Exit(time.Minute); !ended || status != 0 {
		t.Fatalf("status %d, ended %v", status, ended)
	}
	text, err := os.ReadFile(n.Log)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestNode_IsServedAsItIsDescribedAndItsLogGoesOn(t *testing.T) {
	n := node(t)
	const bare = "serve --name n1 --http h:1 --peer h:2 --gossip h:3 --advertise h --store postgres://s --lease-ttl 6s\n"
	first := says(t, n, "")
	if first != bare {
		t.Errorf("it says %q", first)
	}
	n.Data, n.Secret, n.Flags = "folder", "file", []string{"--more", "1"}
	want := bare + "--- once more\n" + strings.TrimSuffix(bare, "\n") + " --secret-file file --data folder --more 1\n"
	if got := says(t, n, "--- once more"); got != want {
		t.Errorf("the log is %q, want %q", got, want)
	}
}

func TestNode_HasAGroupOfItsOwnSoThatATerminalEndsOnlyTheCampaign(t *testing.T) {
	n := node(t)
	if err := os.WriteFile(n.Program, []byte("#!/bin/sh\nexec sleep 1000\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	p, err := n.Start("")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Kill()
	if group, err := syscall.Getpgid(p.ID()); err != nil || group != p.ID() {
		t.Errorf("process %d is in group %d: %v", p.ID(), group, err)
	}
}

func TestNode_SaysWhyItCannotBeStarted(t *testing.T) {
	for what, spoil := range map[string]func(*Node){
		"no program": func(n *Node) { n.Program = "/no/such/program" },
		"no address": func(n *Node) { n.HTTP = "h" },
		"no log":     func(n *Node) { n.Log = "/no/such/folder/log" },
	} {
		n := node(t)
		spoil(n)
		if p, err := n.Start(""); err == nil {
			p.Kill()
			t.Errorf("%s: it is started", what)
		}
	}
}
