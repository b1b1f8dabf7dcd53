package httpapi

import "bytes"

// maxIDBytes is the length of the longest idempotency key.
const maxIDBytes = 255

// textBadID refuses an Idempotency-Key header.
const textBadID = `must be one line of 1 to 255 printable ASCII characters in double quotes, such as ` +
	`Idempotency-Key: "8e03978e-40d5-43dd-bc93-6894a57f9324"`

// parseIdempotencyKey reads an Idempotency-Key header: a string of RFC 8941, as the IETF's draft has it, or the same
// without quotes, as many clients send it. Without quotes it has no blank and none of "\,; so that two lines that a proxy
// joined are not taken for one key. The result points into value, unless it had escapes.
func parseIdempotencyKey(value []byte) ([]byte, bool) {
	value = bytes.Trim(value, " \t")
	if len(value) == 0 || value[0] != '"' {
		return value, validID(value) && !bytes.ContainsAny(value, " \"\\,;")
	}
	if len(value) < 2 || value[len(value)-1] != '"' {
		return nil, false
	}
	id := value[1 : len(value)-1]
	if bytes.IndexByte(id, '"') >= 0 || bytes.IndexByte(id, '\\') >= 0 {
		var ok bool
		if id, ok = unescapeID(id); !ok {
			return nil, false
		}
	}
	return id, validID(id)
}

// unescapeID returns a copy of what stood between quotes, with \" and \\ replaced. There are no other escapes.
func unescapeID(quoted []byte) ([]byte, bool) {
	id := make([]byte, 0, len(quoted))
	for i := 0; i < len(quoted); i++ {
		c := quoted[i]
		if c == '"' {
			return nil, false
		}
		if c == '\\' {
			i++
			if i == len(quoted) || quoted[i] != '"' && quoted[i] != '\\' {
				return nil, false
			}
			c = quoted[i]
		}
		id = append(id, c)
	}
	return id, true
}

// validID tells whether id is an idempotency key: 1 to maxIDBytes bytes of printable ASCII.
func validID(id []byte) bool {
	if len(id) == 0 || len(id) > maxIDBytes {
		return false
	}
	for _, c := range id {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}
