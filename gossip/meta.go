package gossip

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/hashicorp/memberlist"
)

// metaVersion is the first byte of encoded metadata. A later version may append fields, which this one skips: only a change
// that an older node must not misread takes another number, and is refused here.
const metaVersion = 1

// flagDraining is set in the second byte of encoded metadata.
const flagDraining = 1 << 0

var errMetaFormat = errors.New("metadata in an unknown format")

// Meta is what a node tells about itself. Encoded it takes at most 512 bytes.
type Meta struct {
	Name     string // stable across restarts
	HTTPAddr string // host:port for clients
	PeerAddr string // host:port for the other nodes' batches
	Settings string // the cluster's fixed settings; nodes whose text differs refuse each other (R11)
	Draining bool   // leaving: nobody should give it partitions
}

// encode returns the wire form: version, flags, then each text with its length in front.
func (m Meta) encode() ([]byte, error) {
	var flags byte
	if m.Draining {
		flags |= flagDraining
	}
	b := []byte{metaVersion, flags}
	for _, text := range []string{m.Name, m.HTTPAddr, m.PeerAddr, m.Settings} {
		b = binary.AppendUvarint(b, uint64(len(text)))
		b = append(b, text...)
	}
	if len(b) > memberlist.MetaMaxSize { // memberlist panics on it
		return nil, fmt.Errorf("metadata takes %d bytes, more than %d", len(b), memberlist.MetaMaxSize)
	}
	return b, nil
}

// decodeMeta reads the wire form. It keeps nothing of b.
func decodeMeta(b []byte) (Meta, error) {
	if len(b) < 2 || b[0] != metaVersion {
		return Meta{}, errMetaFormat
	}
	m := Meta{Draining: b[1]&flagDraining != 0}
	b = b[2:]
	for _, text := range []*string{&m.Name, &m.HTTPAddr, &m.PeerAddr, &m.Settings} {
		n, size := binary.Uvarint(b)
		if size <= 0 || n > uint64(len(b)-size) {
			return Meta{}, errMetaFormat
		}
		*text = string(b[size : size+int(n)])
		b = b[size+int(n):]
	}
	return m, nil
}
