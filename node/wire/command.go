package wire

import (
	"encoding/binary"

	"github.com/pinocchio-nose/pinocchio/counter"
)

// Command is a command on its way to the owner of its key.
type Command struct {
	counter.Command
	Key, ID    string // ID "": no idempotency key
	Durability byte   // a number of the sender's; both sides know it
	Patience   uint32 // milliseconds within which the owner may begin
}

// Outcome says what became of a command.
type Outcome uint8

// Outcomes. All but CommandDone and CommandInDoubt say that nothing was counted.
const (
	CommandDone        Outcome = iota
	CommandReplayed            // the first one with its idempotency key was
	CommandMoved               // not the owner (any more), or not for now: ask again soon
	CommandInDoubt             // it is held by the owner, which could not do more in time
	CommandOutOfBounds         // Before is the total
	CommandOutOfRange
	CommandTooFar
	CommandIDReused
	CommandOverloaded
	CommandUnavailable // its durability, at the owner
	CommandTooFewNodes
	CommandUnreachable // the owner could not read the store, or settle, in time
	lastOutcome        = CommandUnreachable
)

// CommandResult is the answer to one command: the total before it, and what was added.
type CommandResult struct {
	Outcome       Outcome
	Before, Delta int64
}

const (
	commandSet = 1 << iota
	commandSaturate
	commandFlags = commandSet | commandSaturate
)

// AppendCommand appends a command behind the header.
func AppendCommand(b []byte, c *Command) []byte {
	b = append(b, flag(c.Set, commandSet)|flag(c.Saturate, commandSaturate), c.Durability)
	for _, v := range [...]int64{c.Value, c.Min, c.Max} {
		b = binary.AppendVarint(b, v)
	}
	b = binary.AppendUvarint(b, uint64(c.Patience))
	b = binary.AppendUvarint(b, uint64(len(c.Key)))
	b = append(b, c.Key...)
	b = binary.AppendUvarint(b, uint64(len(c.ID)))
	return append(b, c.ID...)
}

// DecodeCommand reads what stands behind the header; it aliases b.
func DecodeCommand(b []byte) (c Command, err error) {
	r := reader{b: b}
	flags := r.byte()
	if flags&^commandFlags != 0 {
		r.fail("unknown flags %x of a command", flags)
	}
	c.Set, c.Saturate = flags&commandSet != 0, flags&commandSaturate != 0
	c.Durability = r.byte()
	c.Value, c.Min, c.Max = r.varint(), r.varint(), r.varint()
	c.Patience = r.u32()
	c.Key, c.ID = r.text(), r.text()
	if c.Key == "" && r.err == nil {
		r.fail("a command without a key")
	}
	return c, r.end()
}

// AppendCommandResult appends an answer.
func AppendCommandResult(b []byte, x CommandResult) []byte {
	b = append(b, Version, byte(x.Outcome))
	b = binary.AppendVarint(b, x.Before)
	return binary.AppendVarint(b, x.Delta)
}

// DecodeCommandResult reads an answer.
func DecodeCommandResult(b []byte) (x CommandResult, err error) {
	r := reader{b: b}
	if v := r.byte(); v != Version {
		r.fail("version %d, this node speaks %d", v, Version)
	}
	x = CommandResult{Outcome: Outcome(r.byte()), Before: r.varint(), Delta: r.varint()}
	if x.Outcome > lastOutcome {
		r.fail("unknown outcome %d of a command", x.Outcome)
	}
	return x, r.end()
}
