package journal

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
)

// Op is one numbered operation; its number is its place in the stream. The journal does not interpret it.
type Op struct {
	Key   string
	Delta int64
	Flags uint8
	ID    string // idempotency key, or empty
}

// Bounds and defaults.
const (
	// MaxRecordBytes bounds one record, and with it one operation: a little less is left for key and idempotency key.
	MaxRecordBytes = 1 << 20

	DefaultSegmentBytes = 64 << 20
	minSegmentBytes     = 4 << 10
	maxSegmentBytes     = 1 << 30
)

// Config says where a log lives and whose it is.
type Config struct {
	Dir     string    // holds one folder per origin; one node's own
	Origin  uuid.UUID // the present process: Create makes its folder, Recover passes it over
	Cluster uint64    // digest of the cluster's name and settings: a log of another cluster is refused

	// SegmentBytes is the size at which a new segment begins; the space is reserved when it is made. Default 64 MiB.
	SegmentBytes int64
	// MaxAge refuses logs whose newest record is older: the ledger rows that would make their replay harmless may be
	// gone. It is the retention of the ledger. 0: no limit.
	MaxAge time.Duration

	Logger *slog.Logger     // default: none
	Now    func() time.Time // default: time.Now
	FS     FS               // default: the operating system's files
}

func (c Config) withDefaults() Config {
	if c.SegmentBytes == 0 {
		c.SegmentBytes = DefaultSegmentBytes
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.FS == nil {
		c.FS = osFS{}
	}
	return c
}

// Validate names every fault at once. Origin may be nil only for Recover.
func (c Config) Validate() error {
	var faults []error
	if c.Dir == "" {
		faults = append(faults, errors.New("journal: the folder is not set"))
	}
	if s := c.SegmentBytes; s != 0 && (s < minSegmentBytes || s > maxSegmentBytes) {
		faults = append(faults, fmt.Errorf("journal: segments of %d bytes: give %d to %d", s, minSegmentBytes, maxSegmentBytes))
	}
	if c.MaxAge < 0 {
		faults = append(faults, fmt.Errorf("journal: the maximum age %v is negative", c.MaxAge))
	}
	return errors.Join(faults...)
}
