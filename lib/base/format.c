/* SPDX-License-Identifier: MIT */
/*
 * Text from values (see format.h). The output counts all characters and stores
 * those that fit, so a conversion never looks at the size of the buffer.
 */
#include <lib/base/format.h>

#include <lib/base/string.h>
#include <stdbool.h>
#include <stdint.h>

#define DIGITS_MAX	20u	/* of 2^64 in decimal */

struct output {
	char	*buffer;
	size_t	 size;		/* with the NUL */
	size_t	 length;	/* of the whole text so far */
};

struct conversion {
	bool	 left, zero, wide;
	unsigned width;
	size_t	 precision;	/* SIZE_MAX: none */
};

static void
put(struct output *output, char character)
{
	if (output->length + 1 < output->size)
		output->buffer[output->length] = character;
	output->length++;
}

static void
put_repeated(struct output *output, char character, size_t count)
{
	while (count-- > 0)
		put(output, character);
}

static void
put_padded(struct output *output, const struct conversion *conversion,
    const char *text, size_t length)
{
	size_t pad = conversion->width > length ?
	    conversion->width - length : 0;

	if (!conversion->left)
		put_repeated(output, ' ', pad);
	for (size_t i = 0; i < length; i++)
		put(output, text[i]);
	if (conversion->left)
		put_repeated(output, ' ', pad);
}

/* prefix is "", "-" or "0x"; zeros go between it and the digits. */
static void
put_number(struct output *output, const struct conversion *conversion,
    const char *prefix, uint64_t value, unsigned base)
{
	char text[DIGITS_MAX + 2];
	size_t end = sizeof(text), length, pad = 0;

	do {
		text[--end] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value != 0);
	length = sizeof(text) - end + strlen(prefix);
	if (conversion->width > length)
		pad = conversion->width - length;
	if (!conversion->left && !conversion->zero)
		put_repeated(output, ' ', pad);
	while (*prefix != '\0')
		put(output, *prefix++);
	if (!conversion->left && conversion->zero)
		put_repeated(output, '0', pad);
	while (end < sizeof(text))
		put(output, text[end++]);
	if (conversion->left)
		put_repeated(output, ' ', pad);
}

static const char *
parse_number(const char *format, unsigned *out_number)
{
	*out_number = 0;
	while (*format >= '0' && *format <= '9' && *out_number < 10000)
		*out_number = *out_number * 10 + (unsigned)(*format++ - '0');
	return format;
}

/* A va_list in a structure: passing its address works on every machine. */
struct arguments {
	va_list list;
};

static const char *
parse_width(const char *format, struct arguments *arguments,
    unsigned *out_number)
{
	if (*format != '*')
		return parse_number(format, out_number);
	int value = va_arg(arguments->list, int);
	*out_number = value < 0 ? 0 : (unsigned)value;
	return format + 1;
}

static const char *
parse(const char *format, struct arguments *arguments,
    struct conversion *out_conversion)
{
	struct conversion conversion = { .precision = SIZE_MAX };
	unsigned number;

	for (;; format++) {
		if (*format == '-')
			conversion.left = true;
		else if (*format == '0')
			conversion.zero = true;
		else
			break;
	}
	format = parse_width(format, arguments, &conversion.width);
	if (*format == '.') {
		format = parse_width(format + 1, arguments, &number);
		conversion.precision = number;
	}
	while (*format == 'l' || *format == 'z') {
		conversion.wide = true;
		format++;
	}
	*out_conversion = conversion;
	return format;
}

static uint64_t
take_unsigned(const struct conversion *conversion, struct arguments *arguments)
{
	return conversion->wide ? va_arg(arguments->list, unsigned long) :
	    va_arg(arguments->list, unsigned);
}

static void
put_signed(struct output *output, const struct conversion *conversion,
    struct arguments *arguments)
{
	int64_t value = conversion->wide ? va_arg(arguments->list, long) :
	    va_arg(arguments->list, int);

	if (value < 0)
		put_number(output, conversion, "-", -(uint64_t)value, 10);
	else
		put_number(output, conversion, "", (uint64_t)value, 10);
}

static void
put_string(struct output *output, const struct conversion *conversion,
    const char *text)
{
	if (text == NULL)
		text = "(null)";
	put_padded(output, conversion, text,
	    strnlen(text, conversion->precision));
}

/* false: no such conversion. */
static bool
convert(struct output *output, char kind, const struct conversion *conversion,
    struct arguments *arguments)
{
	char character;

	switch (kind) {
	case 's':
		put_string(output, conversion,
		    va_arg(arguments->list, const char *));
		return true;
	case 'd':
	case 'i':
		put_signed(output, conversion, arguments);
		return true;
	case 'u':
		put_number(output, conversion, "",
		    take_unsigned(conversion, arguments), 10);
		return true;
	case 'x':
		put_number(output, conversion, "",
		    take_unsigned(conversion, arguments), 16);
		return true;
	case 'p':
		put_number(output, conversion, "0x",
		    (uintptr_t)va_arg(arguments->list, void *), 16);
		return true;
	case 'c':
		character = (char)va_arg(arguments->list, int);
		put_padded(output, conversion, &character, 1);
		return true;
	case '%':
		put(output, '%');
		return true;
	default:
		return false;
	}
}

size_t
format_print(char *buffer, size_t size, const char *format, va_list list)
{
	struct output output = { .buffer = buffer, .size = size };
	struct arguments arguments;

	va_copy(arguments.list, list);
	while (*format != '\0') {
		struct conversion conversion;
		const char *start = format++;

		if (*start != '%') {
			put(&output, *start);
			continue;
		}
		format = parse(format, &arguments, &conversion);
		if (!convert(&output, *format, &conversion, &arguments)) {
			while (*start != '\0')
				put(&output, *start++);
			break;
		}
		format++;
	}
	va_end(arguments.list);
	if (size > 0)
		buffer[output.length < size ? output.length : size - 1] = '\0';
	return output.length;
}

size_t
format_text(char *buffer, size_t size, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	size_t length = format_print(buffer, size, format, arguments);
	va_end(arguments);
	return length;
}
