/* SPDX-License-Identifier: MIT */
#include "show.h"

#include <string.h>

#define LINE_MAX_BYTES	256
#define NAME_WIDTH	28
#define TEXT		24	/* bytes of a number */

static void
put_line(FILE *out, const char *line, unsigned columns)
{
	if (columns == 0 || columns >= LINE_MAX_BYTES)
		columns = LINE_MAX_BYTES;
	fprintf(out, "%.*s\n", (int)columns, line);
}

/* Four significant characters and a unit of thousands. */
static const char *
short_number(double value, char text[TEXT])
{
	static const char units[] = " kMGT";
	unsigned unit = 0;

	while (value >= 9999.5 && units[unit + 1] != '\0') {
		value /= 1000;
		unit++;
	}
	snprintf(text, TEXT, "%.0f%c", value, units[unit]);
	return text;
}

static const char *
short_time(uint64_t ns, char text[TEXT])
{
	if (ns == 0)
		snprintf(text, TEXT, "-");
	else if (ns < 10000)
		snprintf(text, TEXT, "%luns", ns);
	else if (ns < 10000000)
		snprintf(text, TEXT, "%luus", ns / 1000);
	else
		snprintf(text, TEXT, "%lums", ns / 1000000);
	return text;
}

void
show_table(FILE *out, const struct summary *summary, unsigned lines,
    unsigned columns)
{
	char line[LINE_MAX_BYTES], a[TEXT], b[TEXT], c[TEXT],
	    d[TEXT], e[TEXT], f[TEXT];

	snprintf(line, sizeof(line), "%-*s %-9s %4s %4s %7s %7s %7s %7s %7s "
	    "%5s %5s %7s", NAME_WIDTH, "CHANNEL", "TYPE", "SEND", "RECV",
	    "MSG/S", "BYTE/S", "P50", "P99", "DROPS", "SLOW%", "ZERO%",
	    "SLEEP/S");
	put_line(out, line, columns);
	for (size_t i = 0; i < summary->count &&
	    (lines == 0 || i + 1 < lines); i++) {
		const struct summary_row *row = &summary->row[i];

		snprintf(line, sizeof(line), "%-*.*s %-9s %4lu %4lu %7s %7s "
		    "%7s %7s %7s %5.1f %5.1f %7s", NAME_WIDTH, NAME_WIDTH,
		    row->name, row->type, row->senders, row->receivers,
		    short_number(row->messages, a),
		    short_number(row->bytes, b), short_time(row->p50_ns, c),
		    short_time(row->p99_ns, d),
		    short_number((double)row->dropped, e), 100 * row->slow,
		    100 * row->zero_copy, short_number(row->sleeps, f));
		put_line(out, line, columns);
	}
}

/* Names hold no control characters by now. */
static void
json_name(FILE *out, const char *name)
{
	for (; *name != '\0'; name++) {
		if (*name == '"' || *name == '\\')
			putc('\\', out);
		putc(*name, out);
	}
}

void
show_json(FILE *out, const struct summary *summary)
{
	fprintf(out, "{\"channels\": [");
	for (size_t i = 0; i < summary->count; i++) {
		const struct summary_row *row = &summary->row[i];

		fprintf(out, "%s{\"name\": \"", i == 0 ? "" : ", ");
		json_name(out, row->name);
		fprintf(out, "\", \"channel\": %lu, \"type\": \"%s\", "
		    "\"senders\": %lu, \"receivers\": %lu, "
		    "\"messages_per_second\": %.1f, "
		    "\"bytes_per_second\": %.1f, "
		    "\"latency_p50_ns\": %lu, \"latency_p99_ns\": %lu, "
		    "\"dropped\": %lu, \"slow_ratio\": %.4f, "
		    "\"zero_copy_ratio\": %.4f, "
		    "\"sleeps_per_second\": %.1f}", row->channel, row->type,
		    row->senders, row->receivers, row->messages, row->bytes,
		    row->p50_ns, row->p99_ns, row->dropped, row->slow,
		    row->zero_copy, row->sleeps);
	}
	fprintf(out, "]}\n");
}
