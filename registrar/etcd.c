/* SPDX-License-Identifier: Apache-2.0 */
/* See etcd.h.  The transaction compares the key's create revision with 0 ("there is none"). */
#include "registrar/etcd.h"

#include <curl/curl.h>
#include <errno.h>
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ANSWER_MAX_bytes = 64 * 1024, TEXT_MAX = 512 };

struct answer {
    char bytes[ANSWER_MAX_bytes];
    size_t length;
};

static const char g_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* RFC 4648.  text: up to TEXT_MAX bytes. */
static const char *base64(const char *text, char out[TEXT_MAX * 2])
{
    size_t length = strlen(text), at = 0;

    for (size_t i = 0; i < length; i += 3) {
        uint32_t bits = 0;

        for (size_t j = 0; j < 3; j++)
            bits = bits << 8 | (i + j < length ? (uint8_t)text[i + j] : 0);
        for (size_t j = 0; j < 4; j++)
            out[at++] = i + j <= length ? g_digits[bits >> (18 - 6 * j) & 63] : '=';
    }
    out[at] = 0;
    return out;
}

static int from_base64(const char *text, char *out, size_t capacity)
{
    uint32_t bits = 0, count = 0;
    size_t at = 0;

    for (; *text && *text != '='; text++) {
        const char *digit = strchr(g_digits, *text);

        if (!digit)
            return -EINVAL;
        bits = bits << 6 | (uint32_t)(digit - g_digits);
        count += 6;
        if (count < 8)
            continue;
        count -= 8;
        if (at + 1 >= capacity)
            return -EINVAL;
        out[at++] = (char)(bits >> count & 0xff);
    }
    out[at] = 0;
    return 0;
}

static char *make_transaction(const char *key, const char *value)
{
    char key64[TEXT_MAX * 2], value64[TEXT_MAX * 2];
    json_t *object =
        json_pack("{s:[{s:s,s:s,s:s,s:s}], s:[{s:{s:s,s:s}}], s:[{s:{s:s}}]}", "compare", "key",
                  base64(key, key64), "target", "CREATE", "result", "EQUAL", "create_revision", "0",
                  "success", "request_put", "key", key64, "value", base64(value, value64),
                  "failure", "request_range", "key", key64);
    char *text = json_dumps(object, JSON_COMPACT);

    json_decref(object);
    return text;
}

static size_t take(char *bytes, size_t size, size_t count, void *owner)
{
    struct answer *answer = owner;
    size_t length = size * count;

    if (length > sizeof(answer->bytes) - answer->length)
        return 0; /* curl gives up */
    memcpy(answer->bytes + answer->length, bytes, length);
    answer->length += length;
    return length;
}

/* What the transaction left.  ours: the value that it would have set. */
static int understand(const struct answer *answer, const char *ours, char out[ETCD_VALUE_MAX])
{
    json_t *object = json_loadb(answer->bytes, answer->length, 0, NULL);
    const json_t *response = json_array_get(json_object_get(object, "responses"), 0);
    const json_t *kv =
        json_array_get(json_object_get(json_object_get(response, "response_range"), "kvs"), 0);
    const char *value = json_string_value(json_object_get(kv, "value"));
    int error = -EIO;

    if (json_is_true(json_object_get(object, "succeeded")) &&
        json_object_get(response, "response_put")) {
        snprintf(out, ETCD_VALUE_MAX, "%s", ours);
        error = 0;
    } else if (value && from_base64(value, out, ETCD_VALUE_MAX) == 0) {
        error = 0;
    }
    json_decref(object);
    return error;
}

static void set_options(CURL *curl, const struct etcd *etcd, const char *url, const char *body,
                        struct answer *answer)
{
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)ETCD_TIMEOUT_ms);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    if (etcd->ca)
        curl_easy_setopt(curl, CURLOPT_CAINFO, etcd->ca);
    if (etcd->certificate)
        curl_easy_setopt(curl, CURLOPT_SSLCERT, etcd->certificate);
    if (etcd->key)
        curl_easy_setopt(curl, CURLOPT_SSLKEY, etcd->key);
}

static int ask_member(const struct etcd *etcd, const char *endpoint, const char *body,
                      struct answer *answer, char *reason, size_t reason_size)
{
    CURL *curl = curl_easy_init();
    char url[TEXT_MAX];
    long status = 0;
    CURLcode result;

    if (!curl)
        return -ENOMEM;
    snprintf(url, sizeof(url), "%s/v3/kv/txn", endpoint);
    answer->length = 0;
    set_options(curl, etcd, url, body, answer);
    result = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(curl);
    if (result == CURLE_OK && status == 200)
        return 0;
    if (result == CURLE_OK)
        snprintf(reason, reason_size, "etcd at %s answers with status %ld", endpoint, status);
    else
        snprintf(reason, reason_size, "etcd at %s: %s", endpoint, curl_easy_strerror(result));
    return -EIO;
}

int etcd_set_once(const struct etcd *etcd, const char *key, const char *value,
                  char out_value[ETCD_VALUE_MAX], char *reason, size_t reason_size)
{
    struct answer *answer = malloc(sizeof(*answer));
    char *body = make_transaction(key, value);
    int error = -EIO;

    snprintf(reason, reason_size, "no etcd");
    for (size_t i = 0; answer && body && error && i < etcd->endpoint_count; i++) {
        error = ask_member(etcd, etcd->endpoints[i], body, answer, reason, reason_size);
        if (!error && understand(answer, value, out_value)) {
            snprintf(reason, reason_size, "etcd at %s answers with something else than expected",
                     etcd->endpoints[i]);
            error = -EIO;
        }
    }
    free(answer);
    free(body);
    return error;
}
