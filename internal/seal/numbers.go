package seal

import "sync/atomic"

// streamBits is how many numbers a Stream has: seven years at 20,000 a second. What is above counts the streams, four million.
const streamBits = 42

// Numbers gives the numbers of one process' questions.
type Numbers struct{ streams atomic.Uint64 }

// Stream numbers the questions to one receiver. Its numbers grow, and are above those of every Stream made before it, so that a receiver
// that is met again takes them for new without anybody remembering where the last Stream ended.
type Stream struct{ last atomic.Uint64 }

// Stream begins a new one.
func (n *Numbers) Stream() *Stream {
	s := new(Stream)
	s.last.Store(n.streams.Add(1) << streamBits)
	return s
}

// Next returns a number that was never given.
func (s *Stream) Next() uint64 { return s.last.Add(1) }
