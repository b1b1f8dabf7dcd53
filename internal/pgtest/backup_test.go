package pgtest

import (
	"os"
	"testing"
)

func TestServer_HasWhatItHadWhenItsFilesArePutBack(t *testing.T) {
	s := Start(t)
	db := s.NewDatabase(t)
	if err := s.Keep(); err == nil {
		t.Error("the files of a running server are copied")
	}
	if err := s.PutBack(); err == nil {
		t.Error("the files of a running server are replaced")
	}
	s.Query(t, db, "create table kept (n integer); insert into kept values (1)")
	s.Kill9()
	if err := s.PutBack(); !os.IsNotExist(err) {
		t.Errorf("without a copy: %v", err)
	}
	step := func(do func() error, more string) {
		t.Helper()
		if err := do(); err != nil {
			t.Fatal(err)
		}
		if err := s.Restart(); err != nil {
			t.Fatal(err)
		}
		s.Query(t, db, more)
		s.Kill9()
	}
	step(s.Keep, "insert into kept values (2)")
	step(s.PutBack, "insert into kept values (3)")
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	if got := s.Query(t, db, "select n from kept order by n"); got != "1\n3" {
		t.Errorf("%q, want what there was and what came afterwards", got)
	}
}
