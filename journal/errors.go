package journal

import (
	"errors"
	"fmt"
)

// Why a log is refused, or refuses. Each error that wraps one names the folder and says what to do.
var (
	// ErrFailed is the end of a log: a write or fsync failed, and nothing appended since the last good Sync is durable.
	ErrFailed = errors.New("the journal has failed: nothing more is made durable until the node is restarted on a healthy disk")

	// ErrClosed is what Sync returns behind Close.
	ErrClosed = errors.New("the journal is closed")

	// ErrLocked says that another process, or another log of this one, holds the folder.
	ErrLocked = errors.New("the folder is in use")

	// ErrOtherCluster says that the log belongs to a cluster with another name or other settings.
	ErrOtherCluster = errors.New("the log belongs to another cluster")

	// ErrTooOld says that the log is older than Config.MaxAge.
	ErrTooOld = errors.New("the log is too old to be replayed")

	// ErrFormat says that another version of the program wrote the log.
	ErrFormat = errors.New("the log has a format that this version does not read")

	// ErrDamaged says that a log was durable once and is not whole any more; see DamageError.
	ErrDamaged = errors.New("the log is damaged")
)

var errClosed = fmt.Errorf("journal: %w", ErrClosed)

// DamageError says where a log is damaged. It wraps ErrDamaged.
type DamageError struct {
	Folder string
	File   string // path of the segment
	Offset int64  // in bytes, where the first thing stands that does not check
	Reason string
}

func (e *DamageError) Error() string {
	return fmt.Sprintf("journal: %s is damaged at byte %d: %s. Nothing of this log was replayed. Restore the file, "+
		"or move the folder %s away and accept that operations which stand only there are not counted",
		e.File, e.Offset, e.Reason, e.Folder)
}

// Unwrap makes errors.Is(err, ErrDamaged) hold.
func (e *DamageError) Unwrap() error { return ErrDamaged }

func lockError(folder string, err error) error {
	if errors.Is(err, ErrLocked) {
		return fmt.Errorf("journal: %s: %w by a running process: stop the node that still runs on it, or give each node a "+
			"data folder of its own", folder, err)
	}
	return fmt.Errorf("journal: locking %s: %w", folder, err)
}
