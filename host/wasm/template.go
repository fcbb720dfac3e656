package wasm

import (
	"context"
	"errors"
	"fmt"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/experimental"
)

// template is the state that instances begin in: an image of the memory and the
// values of the mutable globals. Taken after _initialize, it spares every run
// the start of its program.
type template struct {
	image   *image
	globals []uint64
}

// takeTemplate makes an instance, brings it into the state that runs are to
// begin in, and saves that.
func (p *plugin) takeTemplate(ctx context.Context, pages *pagemap) (err error) {
	i, err := p.instantiate(ctx, nil)
	if err != nil {
		return err
	}
	defer i.close()
	for n, s := range p.loaded.Data {
		if !i.module.Memory().Write(s.Offset, s.Bytes) {
			return fmt.Errorf("data segment %d: %d bytes at %d are not in the module's memory", n, len(s.Bytes), s.Offset)
		}
	}
	p.loaded.Data = nil // the template has them; the module's bytes can go
	if !p.perRun {
		r := p.newRun(i, nobody{})
		err := r.compute(ctx, func(ctx context.Context) error { return i.initialize(ctx, p.loaded.Start) })
		if err != nil {
			return fmt.Errorf("initialize module: %w", p.fault(ctx, i, r, err))
		}
	}
	content, ok := i.module.Memory().Read(0, i.module.Memory().Size())
	if !ok {
		return errors.New("initialize module: its memory cannot be read")
	}
	if p.template.image, err = newImage(content, pages); err != nil {
		return err
	}
	p.template.globals = i.values()
	return nil
}

// newInstance makes an instance in the state of the template.
func (p *plugin) newInstance(ctx context.Context) (*instance, error) {
	i, err := p.instantiate(ctx, p.template.image)
	if err != nil {
		return nil, err
	}
	memory := i.module.Memory()
	if missing := len(p.template.image.bytes) - int(memory.Size()); missing > 0 {
		if _, ok := memory.Grow(uint32(missing / pageSize)); !ok {
			i.close()
			return nil, errors.New("instantiate module: its memory cannot grow to the size of its image")
		}
	}
	i.set(p.template.globals)
	return i, nil
}

// instantiate makes an instance over an image, which may be nil. The engine
// applies the element segments; nothing of the module runs.
func (p *plugin) instantiate(ctx context.Context, img *image) (*instance, error) {
	memory, err := newSpace(img, uint64(p.limits.Memory), p.loaded.MemoryMax*pageSize)
	if err != nil {
		return nil, err
	}
	cfg := wazero.NewModuleConfig().
		WithName(""). // nameless instances do not meet each other
		WithStartFunctions()
	i := &instance{memory: memory}
	if i.nested, err = newStack(); err != nil {
		memory.Free()
		return nil, err
	}
	i.module, err = p.engine.InstantiateModule(experimental.WithMemoryAllocator(ctx, given{memory}), p.compiled, cfg)
	if err != nil {
		memory.Free()
		i.nested.free()
		return nil, fmt.Errorf("instantiate module: %w", err)
	}
	i.bind(p.loaded)
	return i, nil
}

// reset brings the instance back into the state of the template. It answers
// false if that cannot be done.
func (p *plugin) reset(i *instance, r *run) bool {
	if p.perRun || i.module.IsClosed() {
		return false
	}
	if err := i.memory.restore(); err != nil {
		return false
	}
	if !i.takeBack(len(p.template.image.bytes)) {
		return false
	}
	i.memory.refused = false
	i.set(p.template.globals)
	if r.failed || r.yields > shallow {
		i.bindFunctions()
	} else {
		i.nested.trim()
	}
	return true
}

// takeBack makes the memory as small as it was before it grew. The engine has
// no call for that, but it takes what its allocator returns: asked for one page
// more, the space returns the size of the image.
func (i *instance) takeBack(size int) bool {
	memory := i.module.Memory()
	if int(memory.Size()) != size {
		i.memory.shrink = true
		memory.Grow(1)
		i.memory.shrink = false
	}
	return int(memory.Size()) == size
}
