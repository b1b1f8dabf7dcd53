package httpapi

import (
	"bytes"

	"github.com/pinocchio-nose/pinocchio/node"
)

// durabilityName returns the level's name as it stands in the Durability header, "" for what is no level.
func durabilityName(level node.Durability) string {
	switch level {
	case node.Memory:
		return "memory"
	case node.Disk:
		return "disk"
	case node.Replica:
		return "replica"
	case node.Database:
		return "database"
	}
	return ""
}

// parseDurability reads a Durability header. Upper and lower case are the same.
func parseDurability(value []byte) (node.Durability, bool) {
	value = bytes.TrimSpace(value)
	for level := node.Memory; level <= node.Database; level++ {
		if equalFold(value, durabilityName(level)) {
			return level, true
		}
	}
	return node.DefaultDurability, false
}

// wantsRepresentation reads Prefer headers (RFC 7240): a list of preferences, each a token with an optional value and
// parameters, over any number of lines. The first "return" counts, as section 2 of the RFC says.
func wantsRepresentation(lines [][]byte) bool {
	for _, line := range lines {
		for len(line) > 0 {
			var preference []byte
			preference, line = cutUnquoted(line, ',')
			preference, _ = cutUnquoted(preference, ';')
			name, value, _ := bytes.Cut(preference, []byte("="))
			if !equalFold(bytes.TrimSpace(name), "return") {
				continue
			}
			value = bytes.TrimSpace(value)
			if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
				value = value[1 : len(value)-1]
			}
			return equalFold(value, "representation")
		}
	}
	return false
}

// cutUnquoted cuts text at the first separator that stands outside a quoted string.
func cutUnquoted(text []byte, separator byte) (before, after []byte) {
	quoted := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case c == separator && !quoted:
			return text[:i], text[i+1:]
		}
	}
	return text, nil
}

// equalFold tells whether text is the lower-case ASCII word, in any case. (bytes.EqualFold would also match letters
// outside ASCII.)
func equalFold(text []byte, word string) bool {
	if len(text) != len(word) {
		return false
	}
	for i, c := range text {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != word[i] {
			return false
		}
	}
	return true
}
