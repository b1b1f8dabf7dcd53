package httpapi

import "sync"

// scratchPool holds buffers for keys without their escapes.
type scratchPool struct{ pool sync.Pool }

func (p *scratchPool) get() *[]byte {
	if b, ok := p.pool.Get().(*[]byte); ok {
		return b
	}
	return new([]byte)
}

// put takes a buffer back, unless an unusual request made it large.
func (p *scratchPool) put(b *[]byte) {
	if cap(*b) <= 16*MaxKeyBytes {
		p.pool.Put(b)
	}
}
