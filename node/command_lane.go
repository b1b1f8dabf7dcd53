package node

import (
	"errors"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/pinocchio-nose/pinocchio/counter"
	"github.com/pinocchio-nose/pinocchio/node/wire"
)

const (
	commandPath      = "/peer/v1/command"
	commandsUnderWay = 64 // to one peer; each waits for its own durability, so they do not travel together
)

// commandErrors are the errors that travel as numbers.
func commandErrors() map[wire.Outcome]error {
	return map[wire.Outcome]error{
		wire.CommandMoved:       errMoved,
		wire.CommandInDoubt:     ErrInDoubt,
		wire.CommandOutOfBounds: ErrOutOfBounds,
		wire.CommandOutOfRange:  ErrOutOfRange,
		wire.CommandTooFar:      ErrTooFar,
		wire.CommandIDReused:    ErrIDReused,
		wire.CommandOverloaded:  ErrOverloaded,
		wire.CommandUnavailable: ErrDurabilityUnavailable,
		wire.CommandTooFewNodes: ErrTooFewNodes,
		wire.CommandUnreachable: ErrUnreachable,
	}
}

// changeThere sends a command to the owner, once: a lost answer leaves it in doubt. errMoved: the peer surely did nothing with it.
func (n *Node) changeThere(owner counter.Origin, c *Change, deadline time.Time) (Changed, error) {
	l := n.links.get(owner)
	if l == nil {
		n.refresh()
		return Changed{}, errMoved
	}
	if err := l.takeTurn(deadline); err != nil {
		return Changed{}, err
	}
	defer func() { <-l.turns }()
	x, err := l.command(c, deadline)
	switch {
	case err != nil && neverTaken(err):
		n.refresh()
		return Changed{}, errMoved
	case err != nil:
		return Changed{}, ErrInDoubt
	case x.Outcome == wire.CommandDone, x.Outcome == wire.CommandReplayed:
		return Changed{Before: x.Before, Delta: x.Delta, Replayed: x.Outcome == wire.CommandReplayed}, nil
	case x.Outcome == wire.CommandMoved:
		n.refresh()
	}
	return Changed{Before: x.Before}, commandErrors()[x.Outcome]
}

// takeTurn waits until one more command may be under way to the peer (R10).
func (l *link) takeTurn(deadline time.Time) error {
	select {
	case l.turns <- struct{}{}:
		return nil
	default:
	}
	timer := getTimer(time.Until(deadline))
	defer putTimer(timer)
	select {
	case l.turns <- struct{}{}:
		return nil
	case <-l.gone:
		return errMoved
	case <-timer.C:
		return ErrOverloaded
	}
}

// command posts a command. The owner may take half of what is left until the deadline to begin, so that its answer is in time.
func (l *link) command(c *Change, deadline time.Time) (wire.CommandResult, error) {
	n := l.node
	left := max(time.Until(deadline), 2*time.Millisecond)
	body := wire.AppendCommand(wire.AppendHeader(nil, n.header()), &wire.Command{
		Command: c.Command, Key: c.key(), ID: string(c.ID), Durability: byte(c.Durability), Patience: uint32((left / 2).Milliseconds()),
	})
	patience := n.cfg.StoreTimeout
	if c.Durability == Memory || c.Durability == DefaultDurability && n.cfg.Durability != Database {
		patience = n.cfg.OwnerTimeout
	}
	a, err := l.call.post(commandPath, body, left+patience)
	if err != nil {
		n.peerFault(l, err)
		return wire.CommandResult{}, err
	}
	defer a.release()
	return wire.DecodeCommandResult(a.body)
}

// serveCommand carries out a command that another node was asked for.
func (n *Node) serveCommand(ctx *fasthttp.RequestCtx, rest []byte) {
	w, err := wire.DecodeCommand(rest)
	if err != nil {
		n.count.mangled.Inc()
		ctx.Error(err.Error(), fasthttp.StatusBadRequest)
		return
	}
	c := &Change{Key: []byte(w.Key), Command: w.Command, Durability: Durability(w.Durability), ID: []byte(w.ID)}
	sl := n.slots.of(counter.Hash(c.key()))
	patience := min(time.Duration(w.Patience)*time.Millisecond, n.cfg.OwnerTimeout)
	r, err := n.changeHere(sl, c, time.Now().Add(patience))
	ctx.Response.SetBodyRaw(wire.AppendCommandResult(nil, wire.CommandResult{Outcome: n.commandOutcome(r, err), Before: r.Before, Delta: r.Delta}))
}

// commandOutcome is the number of what became of a command.
func (n *Node) commandOutcome(r Changed, err error) wire.Outcome {
	switch {
	case err == nil && r.Replayed:
		return wire.CommandReplayed
	case err == nil:
		return wire.CommandDone
	case errors.Is(err, ErrNotReady):
		return wire.CommandMoved // another node is about to own it
	}
	for outcome, known := range commandErrors() {
		if errors.Is(err, known) {
			return outcome
		}
	}
	n.log.Error("a command of another node failed", "error", err)
	return wire.CommandUnreachable
}
