/* What main.c and the verbs share about looks. */
#ifndef USHER_STYLE_H
#define USHER_STYLE_H

#include <stdio.h>

#include "cli.h"

#define COLOR_RED "\033[1;31m"
#define COLOR_GREEN "\033[32m"
#define COLOR_YELLOW "\033[33m"
#define COLOR_BOLD "\033[1m"
#define COLOR_OFF "\033[0m"

void cli_global_options_print(FILE *to);
/* --color=WHEN: "auto", "always" or "never". */
void cli_colors(struct cli *cli, const char *when);
/* `usher --help`: the verbs. */
void cli_help_print(FILE *to, bool full);

#endif
