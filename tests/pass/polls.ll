; SPDX-License-Identifier: Apache-2.0
; Which functions have a poll at their entry.  opt -load-pass-plugin=OptMigPass.so -passes=optmig -S
target datalayout = "e-m:e-p270:32:32-p271:32:32-p272:64:64-i64:64-f80:128-n8:16:32:64-S128"
target triple = "x86_64-pc-linux-gnu"

declare void @outside()
@table = global void ()* @address_taken

; Called from one place only, and never in a circle.
; CHECK-LABEL: define internal void @straight(
; CHECK-NOT: testb
; CHECK: ret void
define internal void @straight() {
  call void @outside()
  ret void
}

; Its calls lead to lower names only, and names cannot go down all the way round.
; CHECK-LABEL: define void @visible(
; CHECK-NOT: testb
; CHECK: ret void
define void @visible() {
  call void @straight()
  call void @straight()
  call void @itself()
  call void @one()
  ret void
}

; CHECK-LABEL: define internal void @address_taken(
; CHECK-NEXT: call void asm sideeffect "testb
define internal void @address_taken() {
  call void @outside()
  ret void
}

; CHECK-LABEL: define internal void @itself(
; CHECK-NEXT: call void asm sideeffect "testb
define internal void @itself() {
  call void @itself()
  ret void
}

; CHECK-LABEL: define internal void @one(
; CHECK-NEXT: call void asm sideeffect "testb
define internal void @one() {
  call void @other()
  ret void
}

; A circle has one poll.
; CHECK-LABEL: define internal void @other(
; CHECK-NOT: testb
; CHECK: ret void
define internal void @other() {
  call void @one()
  ret void
}

; Visible, but it calls nothing that could call it.
; CHECK-LABEL: define void @calls_out_nowhere(
; CHECK-NOT: testb
; CHECK: ret void
define void @calls_out_nowhere() {
  call void @leaf()
  ret void
}

; CHECK-LABEL: define void @leaf(
; CHECK-NOT: testb
; CHECK: ret void
define void @leaf() {
  ret void
}

declare i64 @strlen(i8*)
declare void @qsort(i8*, i64, i64, i32 (i8*, i8*)*)

; libc's routines do not call back.
; CHECK-LABEL: define i64 @measures(
; CHECK-NOT: testb
; CHECK: ret i64
define i64 @measures(i8* %text) {
  %length = call i64 @strlen(i8* %text)
  ret i64 %length
}

; But this one does.
; CHECK-LABEL: define void @arrange(
; CHECK-NEXT: call void asm sideeffect "testb
define void @arrange(i8* %all, i64 %n, i32 (i8*, i8*)* %compare) {
  call void @qsort(i8* %all, i64 %n, i64 8, i32 (i8*, i8*)* %compare)
  ret void
}

; A search that nothing counts is unrolled: one poll for four turns, and it stands before what sets the flags.
; CHECK-LABEL: define i8* @search(
; CHECK: load i8
; CHECK-NOT: testb
; CHECK: load i8
; CHECK-NOT: testb
; CHECK: load i8
; CHECK-NOT: testb
; CHECK: call void asm sideeffect "testb
; CHECK-NEXT: load i8
; CHECK-NEXT: getelementptr
; CHECK-NEXT: icmp
; CHECK-NEXT: br i1
; CHECK-NOT: testb
; CHECK: ret i8*
define i8* @search(i8* %text) {
entry:
  br label %body
body:
  %at = phi i8* [ %text, %entry ], [ %next, %body ]
  %c = load i8, i8* %at
  %next = getelementptr i8, i8* %at, i64 1
  %end = icmp eq i8 %c, 0
  br i1 %end, label %out, label %body
out:
  ret i8* %at
}

; One of longer turns too, if it has one way out only; one with several most often ends soon.
; CHECK-LABEL: define i8* @list(
; CHECK: load i8
; CHECK-NOT: testb
; CHECK: load i8
; CHECK: ret i8*
define i8* @list(i8* %text) {
entry:
  br label %body
body:
  %at = phi i8* [ %text, %entry ], [ %next, %body ]
  %c = load i8, i8* %at
  %a1 = xor i8 %c, 1
  %a2 = mul i8 %a1, 3
  %a3 = xor i8 %a2, 1
  %a4 = mul i8 %a3, 3
  %a5 = xor i8 %a4, 1
  %a6 = mul i8 %a5, 3
  %a7 = xor i8 %a6, 1
  %a8 = mul i8 %a7, 3
  %next = getelementptr i8, i8* %at, i64 1
  %end = icmp eq i8 %a8, 0
  br i1 %end, label %out, label %body
out:
  ret i8* %at
}
; CHECK-LABEL: define i8* @long_search(
; CHECK: load i8
; CHECK-NOT: load i8
; CHECK: testb
; CHECK-NOT: load i8
; CHECK: ret i8*
define i8* @long_search(i8* %text) {
entry:
  br label %body
body:
  %at = phi i8* [ %text, %entry ], [ %next, %more ]
  %c = load i8, i8* %at
  %a1 = xor i8 %c, 1
  %a2 = mul i8 %a1, 3
  %a3 = xor i8 %a2, 1
  %a4 = mul i8 %a3, 3
  %a5 = xor i8 %a4, 1
  %a6 = mul i8 %a5, 3
  %a7 = xor i8 %a6, 1
  %a8 = mul i8 %a7, 3
  %found = icmp eq i8 %a8, 7
  br i1 %found, label %out, label %more
more:
  %next = getelementptr i8, i8* %at, i64 1
  %end = icmp eq i8 %a8, 0
  br i1 %end, label %out, label %body
out:
  ret i8* %at
}

; To a higher name, through a static function.
; CHECK-LABEL: define void @below(
; CHECK-NEXT: call void asm sideeffect "testb %al, __optmig_poll_v3
define void @below() {
  call void @straight()
  ret void
}

; Known to others by a lower name too.
@a_name = alias void (), void ()* @renamed
; CHECK-LABEL: define void @renamed(
; CHECK-NEXT: call void asm sideeffect "testb
define void @renamed() {
  call void @outside()
  ret void
}

; By a pointer to anywhere.
; CHECK-LABEL: define void @visits(
; CHECK-NEXT: call void asm sideeffect "testb
define void @visits(void ()* %where) {
  call void %where()
  ret void
}

; Where a circle can only go on by a way that is seldom taken, the poll stands there.
; CHECK-LABEL: define internal void @quick(
; CHECK-NOT: testb
; CHECK: seldom:
; CHECK-NEXT: call void asm sideeffect "testb
; CHECK-NEXT: call void @quick(
; CHECK-NOT: testb
; CHECK: ret void
define internal void @quick(i1 %cold) {
  br i1 %cold, label %seldom, label %out
seldom:
  call void @quick(i1 false)
  br label %out
out:
  ret void
}

; So do calls by a pointer and to higher names; a call of a leaf needs none.
; CHECK-LABEL: define void @higher(
; CHECK-NEXT: call void @leaf()
; CHECK-NEXT: br
; CHECK: seldom:
; CHECK-NEXT: call void asm sideeffect "testb
; CHECK-NEXT: call void %where()
; CHECK-NEXT: br
; CHECK: rare:
; CHECK-NEXT: call void asm sideeffect "testb
; CHECK-NEXT: call void @outside()
; CHECK-NEXT: ret void
; CHECK: out:
; CHECK-NEXT: ret void
define void @higher(i1 %cold, i1 %colder, void ()* %where) {
  call void @leaf()
  br i1 %cold, label %seldom, label %out
seldom:
  call void %where()
  br i1 %colder, label %rare, label %out
rare:
  call void @outside()
  ret void
out:
  ret void
}

; One that every way comes by is no better than a poll at the entry.
; CHECK-LABEL: define internal void @always(
; CHECK-NEXT: call void asm sideeffect "testb
; CHECK-NEXT: br
; CHECK-NOT: testb
; CHECK: ret void
define internal void @always(i1 %which) {
  br i1 %which, label %one, label %two
one:
  call void @always(i1 false)
  br label %out
two:
  call void @always(i1 true)
  br label %out
out:
  ret void
}
