/* SPDX-License-Identifier: MIT */
/* Kernel log ring and the small formatter behind it. */
#include <kernel/core/log.h>

#include <kernel/core/lock.h>
#include <kernel/core/string.h>

static struct lock log_lock;		/* guards the rest */
static bool lock_broken;		/* panic: go on without the lock */
static char ring[LOG_SIZE];
static uint64_t end;			/* position after the newest byte */

struct line {
	char	text[LOG_LINE_MAX];
	size_t	length;
};

static void
put(struct line *line, char c)
{
	if (line->length < LOG_LINE_MAX - 1)
		line->text[line->length++] = c;
}

static void
put_number(struct line *line, uint64_t value, unsigned base, bool negative)
{
	char digits[24];
	unsigned count = 0;

	do {
		digits[count++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value != 0);
	if (negative)
		put(line, '-');
	while (count > 0)
		put(line, digits[--count]);
}

static void
put_string(struct line *line, const char *text)
{
	for (text = text != NULL ? text : "(null)"; *text != 0; text++)
		put(line, *text);
}

/* One conversion: %s %c %d %u %x, the numbers also with l or z. */
static const char *
put_conversion(struct line *line, const char *format, va_list *arguments)
{
	bool wide = *format == 'l' || *format == 'z';
	int64_t value;

	if (wide)
		format++;
	switch (*format) {
	case 's':
		put_string(line, va_arg(*arguments, const char *));
		break;
	case 'c':
		put(line, (char)va_arg(*arguments, int));
		break;
	case 'd':
		value = wide ? va_arg(*arguments, int64_t) :
		    va_arg(*arguments, int);
		put_number(line, value < 0 ? -(uint64_t)value : (uint64_t)value,
		    10, value < 0);
		break;
	case 'u':
	case 'x':
		put_number(line, wide ? va_arg(*arguments, uint64_t) :
		    va_arg(*arguments, unsigned), *format == 'u' ? 10 : 16,
		    false);
		break;
	default:
		put(line, *format);
		break;
	}
	return format;
}

void
log_bytes(const char *text, size_t length)
{
	if (!lock_broken)
		lock_acquire(&log_lock);
	for (size_t i = 0; i < length; i++)
		ring[end++ % LOG_SIZE] = text[i];
	arch_console_write(text, length);
	if (!lock_broken)
		lock_release(&log_lock);
}

void
log_vprint(const char *format, va_list arguments)
{
	struct line line = { .length = 0 };
	va_list copy;

	va_copy(copy, arguments);
	for (; *format != 0; format++) {
		if (*format != '%' || format[1] == 0)
			put(&line, *format);
		else
			format = put_conversion(&line, format + 1, &copy);
	}
	va_end(copy);
	log_bytes(line.text, line.length);
}

void
log_print(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	log_vprint(format, arguments);
	va_end(arguments);
}

uint64_t
log_read(uint64_t position, char *out_text, size_t size, size_t *out_length)
{
	lock_acquire(&log_lock);
	if (position > end)
		position = end;
	if (end - position > LOG_SIZE)
		position = end - LOG_SIZE;
	size_t length = 0;
	while (length < size && position < end)
		out_text[length++] = ring[position++ % LOG_SIZE];
	lock_release(&log_lock);
	*out_length = length;
	return position;
}

void
log_break_lock(void)
{
	lock_broken = true;
}
