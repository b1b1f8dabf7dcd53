package rig

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/pinocchio-nose/pinocchio/internal/child"
)

// Node is how one node of a cluster is run. It stays the same from one process to the next.
type Node struct {
	Program            string // that is run
	Name               string
	HTTP, Peer, Gossip string // host:port, with one host, which is advertised
	Space              string // network namespace; "": the program's own
	Store              string // URL
	Data               string // folder of its own log; "": it keeps none
	Secret             string // file of the cluster's secret; "": none
	Log                string // file of what its processes say
	Lease              time.Duration
	Flags              []string // of "pinocchio serve", beside those that the others give
	Env                []string // NAME=value, beside this program's own
}

// Start starts a process of the node, which may not be ready yet. What it says is appended to the node's log, below header when
// that is not "".
func (n *Node) Start(header string) (*child.Process, error) {
	log, err := os.OpenFile(n.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }() // the child has its own
	if header != "" {
		_, _ = fmt.Fprintln(log, header)
	}
	cmd, err := n.command()
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = log, log
	p, err := child.Start(cmd)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", n.Name, err)
	}
	return p, nil
}

func (n *Node) command() (*exec.Cmd, error) {
	arguments, err := n.arguments()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(n.Program, arguments...)
	if n.Space != "" {
		// nsenter becomes the node: the process id is the same.
		cmd = exec.Command("nsenter", append([]string{"--net=/run/netns/" + n.Space, n.Program}, arguments...)...)
	}
	cmd.Env = append(os.Environ(), "GORACE=halt_on_error=0") // a node with the race detector tells its log of a race, and goes on
	cmd.Env = append(cmd.Env, n.Env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C at a terminal is for this program, which then ends its children
	return cmd, nil
}

// arguments are those of "pinocchio serve".
func (n *Node) arguments() ([]string, error) {
	host, _, err := net.SplitHostPort(n.HTTP)
	if err != nil {
		return nil, fmt.Errorf("address of %s: %w", n.Name, err)
	}
	args := []string{
		"serve", "--name", n.Name, "--http", n.HTTP, "--peer", n.Peer, "--gossip", n.Gossip, "--advertise", host,
		"--store", n.Store, "--lease-ttl", n.Lease.String(),
	}
	if n.Secret != "" {
		args = append(args, "--secret-file", n.Secret)
	}
	if n.Data != "" {
		args = append(args, "--data", n.Data)
	}
	return append(args, n.Flags...), nil
}
