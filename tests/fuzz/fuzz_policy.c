/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as JSON, as a policy, as dates, and as what a host brings with a policy: what is taken
 * can be walked to its last value. */
#include "tests/fuzz/fuzz.h"

#include "attest/bundle.h"
#include "attest/date.h"

static uint32_t count_values(const struct value *value, struct span all)
{
    struct value_walk walk = value_walk(value);
    struct value element;
    struct span name;
    uint32_t count = 1;
    uint64_t number;
    ALWAYS(value->kind != VALUE_NONE);
    ALWAYS(value->text.bytes >= all.bytes);
    ALWAYS(value->text.bytes + value->text.length <= all.bytes + all.length);
    if (value->kind == VALUE_NUMBER)
        ALWAYS(value_number(value, &number));
    while (value_next(&walk, &name, &element)) {
        ALWAYS((value->kind == VALUE_OBJECT) == (name.bytes != NULL));
        count += count_values(&element, all);
    }
    return count;
}

static void fuzz_date(struct span text)
{
    uint64_t seconds;
    char again[DATE_TEXT_SIZE];
    if (!date_parse(text, &seconds))
        return;
    date_text(seconds, again);
    ALWAYS(span_equal(text, span_text(again))); /* one form only */
}

static void check_inside(struct span part, struct span all)
{
    ALWAYS(!part.bytes || (part.bytes >= all.bytes && part.length <= all.length &&
                           part.bytes + part.length <= all.bytes + all.length));
}

static void fuzz_bundle(struct span bytes)
{
    static struct attest_question question;
    struct bundle bundle;
    memset(&question, 0, sizeof question);
    bool good = !bundle_read(bytes, &bundle, &question);
    ALWAYS(good || (question.certificate_count == 0 && !bundle.part[BUNDLE_POLICY].bytes));
    ALWAYS(!good || bundle.part[BUNDLE_POLICY].bytes);
    for (int i = 0; i < BUNDLE_KIND_END; i++)
        check_inside(bundle.part[i], bytes);
    for (uint32_t i = 0; i < question.certificate_count; i++)
        check_inside(question.certificates[i], bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = span_of(data, size);
    struct value root;
    struct policy policy;
    fuzz_date(text);
    fuzz_bundle(text);
    if (!value_parse(text, &root))
        ALWAYS(count_values(&root, text) <= size);
    if (policy_parse(text, &policy)) {
        ALWAYS(policy.root.kind == VALUE_NONE && policy.version == 0);
        return 0;
    }
    ALWAYS(policy.version > 0);
    struct value list = value_member(&policy.root, "destinations");
    policy_lists_pattern(&list, span_text("10.0.0.1:7702"));
    ALWAYS(!policy_names_platform(&policy, "sim") ||
           policy_section(&policy, "sim").kind == VALUE_OBJECT);
    return 0;
}
