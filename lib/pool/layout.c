/* SPDX-License-Identifier: MIT */
#include <lib/pool/pool.h>

static bool
class_is_sound(const struct pool_layout *layout, unsigned i, uint64_t buffers)
{
	const struct pool_class *class = &layout->class[i];

	return class->size != 0 && class->size % POOL_ALIGNMENT == 0 &&
	    class->count != 0 && buffers + class->count <= POOL_BUFFERS_MAX &&
	    (i == 0 || layout->class[i - 1].size < class->size);
}

size_t
pool_layout_size(const struct pool_layout *layout)
{
	uint64_t buffers = 0;
	size_t size = 0;

	if (layout->classes > POOL_CLASSES_MAX)
		return 0;
	for (unsigned i = 0; i < layout->classes; i++) {
		if (!class_is_sound(layout, i, buffers))
			return 0;
		buffers += layout->class[i].count;
		size += (size_t)layout->class[i].size * layout->class[i].count;
	}
	return size;
}

status_t
pool_layout_find(const struct pool_layout *layout, uint32_t buffer,
    uint32_t length, size_t *out_offset)
{
	size_t offset = 0;

	for (unsigned i = 0; i < layout->classes; i++) {
		const struct pool_class *class = &layout->class[i];

		if (buffer < class->count) {
			*out_offset = offset + (size_t)buffer * class->size;
			return length <= class->size ? OK : ERR_RANGE;
		}
		buffer -= class->count;
		offset += (size_t)class->size * class->count;
	}
	return ERR_RANGE;
}
