package flush_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"

	"github.com/pinocchio-nose/pinocchio/flush"
	"github.com/pinocchio-nose/pinocchio/internal/pgtest"
)

func TestPostgres_TellsARepetitionFromATakenIDWhenTheReplyWasLost_R9(t *testing.T) {
	b := newBroken(t, server)
	id := member(t, b.direct, 0)
	r := keeping(hour, id, withIDs(counting(0, id, 0, 1, "k", 7), "k", "lost:id"))
	done := b.proxy.DropReply("lost:id")
	if res, err := b.far.Flush(t.Context(), r); !isUnknown(err) {
		t.Fatalf("got %+v, %v; want an unknown outcome", res, err)
	}
	<-done
	res, err := b.far.Flush(t.Context(), r)
	atTo(t, res, err, r)
	balanced(t, b.direct)
}

// A server that dies says nothing about processes and data: whatever was asked may be asked again.
func TestPostgres_GivesNoVerdictWhenTheServerIsDown(t *testing.T) {
	s := pgtest.Start(t)
	b := newBroken(t, s)
	id := member(t, b.direct, 0)
	calls := map[string]func(context.Context) error{
		"Flush": func(ctx context.Context) error {
			_, err := b.direct.Flush(ctx, keeping(hour, id, withIDs(counting(0, id, 0, 1, "k", 7), "k", "1")))
			return err
		},
		"Read": func(ctx context.Context) error {
			_, err := b.direct.Read(ctx, nil, nil, []flush.IDRef{{Key: "k", ID: "1"}})
			return err
		},
		"Renew": func(ctx context.Context) error {
			_, err := b.direct.Renew(ctx, id, hour)
			return err
		},
		"Reclaim": func(ctx context.Context) error {
			_, err := b.direct.Reclaim(ctx, id, []flush.Reclaim{reclaim(owned(1, uuid.Nil, 0), 4)})
			return err
		},
		"ExpireIDs": func(ctx context.Context) error {
			_, err := b.direct.ExpireIDs(ctx, 1)
			return err
		},
		"Audit": func(ctx context.Context) error {
			_, err := b.direct.Audit(ctx)
			return err
		},
	}
	s.Kill9()
	for name, call := range calls {
		err := call(soon(t))
		var nothing *flush.RetryError
		if !errors.As(err, &nothing) && !isUnknown(err) || errors.Is(err, flush.ErrClosed) || errors.Is(err, flush.ErrMissing) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	must(t, s.Restart())
	for name, call := range calls {
		eventually(t, name+" works again", func() bool { return call(soon(t)) == nil })
	}
	balanced(t, b.direct)
}
