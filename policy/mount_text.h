/* A mount in words, as rules, expect and `usher why` spell it, and back. */
#ifndef USHER_MOUNT_TEXT_H
#define USHER_MOUNT_TEXT_H

#include "policy.h"
#include "text.h"

/* "ro,nosuid": without the opposites that policy_mount_flags() adds. */
void mount_text_flags(struct text *text, uint32_t flags);
/* False: LIST has a word that is no flag. */
bool mount_text_flags_read(const char *list, uint32_t *flags);
/* "size=1M,mode=755", as policy_mount_options() splits it. */
void mount_text_options(struct text *text, const struct policy_mount *mount);
/* "tmpfs from /a on /b flags ro options size=1M" */
void mount_text(struct text *text, const struct policy_mount *mount);

#endif
