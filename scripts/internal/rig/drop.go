package rig

import (
	"fmt"
	"os/exec"
)

// Direction is a way that packets take, from one address to another.
type Direction struct{ From, To string }

// PrepareDrops makes a network namespace, "" for the program's own, ready for Drop: routing rules are asked before packets are
// delivered locally, and also for those of open connections.
func PrepareDrops(space string) error {
	const quiet = "echo 0 >/proc/sys/net/ipv4/ip_early_demux"
	cmd := exec.Command("sh", "-c", quiet)
	if space != "" {
		cmd = exec.Command("nsenter", "--net=/run/netns/"+space, "sh", "-c", quiet)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("end early demultiplexing in namespace %q: %w: %s", space, err, out)
	}
	return Run(ip(space)+"rule add pref 1000 lookup local", ip(space)+"rule del pref 0")
}

// Drop lets the namespace drop the packets of a direction, on their way through it or where they arrive, until Pass: a sender is
// told nothing.
func Drop(space string, d Direction) error { return Run(ip(space) + "rule add " + rule(d)) }

// Pass takes one Drop back.
func Pass(space string, d Direction) error { return Run(ip(space) + "rule del " + rule(d)) }

// rule is a routing rule before all others.
func rule(d Direction) string { return "pref 10 from " + d.From + " to " + d.To + " blackhole" }

func ip(space string) string {
	if space == "" {
		return "ip "
	}
	return "ip -n " + space + " "
}
