; SPDX-License-Identifier: Apache-2.0
; Loops that are marked and polled behind strips, and those that are not.  opt -load-pass-plugin=OptMigPass.so -passes=optmig -S
target datalayout = "e-m:e-p270:32:32-p271:32:32-p272:64:64-i64:64-f80:128-n8:16:32:64-S128"
target triple = "x86_64-pc-linux-gnu"

declare void @callee()

; A store to consecutive addresses: no mark and no poll in the loop, whose comparison is replaced; behind each strip
; first the marks, then either the exit or the poll.
; CHECK-LABEL: define void @consecutive(
; CHECK: body:
; CHECK: store i32 1, i32* %q
; CHECK-NOT: volatile
; CHECK-NOT: testb
; CHECK: %[[END:.*]] = icmp eq i64 %j, %{{.*}}
; CHECK-NEXT: br i1 %[[END]], label %optmig.strip, label %body
; CHECK: optmig.strip:
; CHECK-NOT: testb
; CHECK: br label %optmig.cards
; CHECK: optmig.cards:
; CHECK: store volatile i8 1
; CHECK: br i1 %{{.*}}, label %optmig.cards, label %optmig.marked
; CHECK: optmig.marked:
; CHECK: %[[LAST:.*]] = icmp ult i64 %{{.*}}, 1024
; CHECK: br i1 %[[LAST]], label %out, label %optmig.next
; CHECK: optmig.next:
; CHECK: testb %al, __optmig_poll_v3
; CHECK-NEXT: br label %body
; CHECK: out:
; CHECK-NOT: volatile
; CHECK: ret void
define void @consecutive(i32* %p, i64 %n) {
entry:
  br label %body
body:
  %i = phi i64 [ 0, %entry ], [ %j, %body ]
  %q = getelementptr i32, i32* %p, i64 %i
  store i32 1, i32* %q
  %j = add nuw i64 %i, 1
  %e = icmp eq i64 %j, %n
  br i1 %e, label %out, label %body
out:
  ret void
}

; Downwards, and an address that stays the same: the latter needs one mark behind each strip.
; CHECK-LABEL: define void @downwards(
; CHECK: body:
; CHECK: store i64
; CHECK: store i64
; CHECK-NOT: volatile
; CHECK: optmig.strip:
; CHECK: store volatile i8 1
; CHECK: store volatile i8 1
; CHECK-NOT: volatile
; CHECK: ret void
define void @downwards(i64* %p, i64* %total, i64 %n) {
entry:
  br label %body
body:
  %i = phi i64 [ %n, %entry ], [ %j, %body ]
  %q = getelementptr i64, i64* %p, i64 %i
  store i64 %i, i64* %q, align 8
  store i64 %i, i64* %total, align 8
  %j = add nsw i64 %i, -1
  %e = icmp eq i64 %j, 0
  br i1 %e, label %out, label %body
out:
  ret void
}

; A loop of few turns: marks behind it, no poll.
; CHECK-LABEL: define void @few(
; CHECK: body:
; CHECK: store i32 1
; CHECK-NOT: volatile
; CHECK: br i1 %e, label %optmig.left, label %body
; CHECK: optmig.left:
; CHECK: store volatile i8 1
; CHECK-NOT: testb
; CHECK: ret void
define void @few(i32* %p) {
entry:
  br label %body
body:
  %i = phi i64 [ 0, %entry ], [ %j, %body ]
  %q = getelementptr i32, i32* %p, i64 %i
  store i32 1, i32* %q
  %j = add nuw i64 %i, 1
  %e = icmp eq i64 %j, 16
  br i1 %e, label %out, label %body
out:
  ret void
}

; Left by a counted branch in the middle of a turn: marks behind that too.  (So unrolled loops look.)
; CHECK-LABEL: define void @middle(
; CHECK: store i32 1
; CHECK-NOT: volatile
; CHECK: br i1 %e, label %optmig.left, label %more
; CHECK: more:
; CHECK: store i32 2
; CHECK-NOT: volatile
; CHECK: br i1 %{{.*}}, label %optmig.strip, label %body
; CHECK: optmig.left:
; CHECK: store volatile i8 1
; CHECK: ret void
; CHECK: optmig.strip:
; CHECK: store volatile i8 1
; CHECK: optmig.next:
; CHECK: testb
; CHECK-NEXT: br label %body
define void @middle(i32* %p) {
entry:
  br label %body
body:
  %i = phi i64 [ 0, %entry ], [ %k, %more ]
  %q = getelementptr i32, i32* %p, i64 %i
  store i32 1, i32* %q
  %j = or i64 %i, 1
  %e = icmp eq i64 %j, 1001
  br i1 %e, label %out, label %more
more:
  %r = getelementptr i32, i32* %p, i64 %j
  store i32 2, i32* %r
  %k = add nuw nsw i64 %i, 2
  br label %body
out:
  ret void
}

; Where nobody knows when it is left, a mark behind the loop could be missed: both stay inside.
; CHECK-LABEL: define void @searched(
; CHECK: more:
; CHECK: store i32 1
; CHECK: store volatile i8 1
; CHECK: br i1
; CHECK-NOT: optmig.cards
; CHECK: ret void
define void @searched(i32* %p, i32* %s, i64 %n) {
entry:
  br label %body
body:
  %i = phi i64 [ 0, %entry ], [ %j, %more ]
  %t = getelementptr i32, i32* %s, i64 %i
  %v = load i32, i32* %t
  %z = icmp eq i32 %v, 0
  br i1 %z, label %out, label %more
more:
  %q = getelementptr i32, i32* %p, i64 %i
  store i32 1, i32* %q
  %j = add nuw i64 %i, 1
  %e = icmp eq i64 %j, %n
  br i1 %e, label %out, label %body
out:
  ret void
}

; A call is a safepoint: the mark stays in front of it, and the poll at the back-edge.
; CHECK-LABEL: define void @calls(
; CHECK: body:
; CHECK: store i32 1
; CHECK: store volatile i8 1
; CHECK: call void @callee
; CHECK: testb
; CHECK: br i1
; CHECK-NOT: optmig.strip
; CHECK: ret void
define void @calls(i32* %p, i64 %n) {
entry:
  br label %body
body:
  %i = phi i64 [ 0, %entry ], [ %j, %body ]
  %q = getelementptr i32, i32* %p, i64 %i
  store i32 1, i32* %q
  call void @callee()
  %j = add nuw i64 %i, 1
  %e = icmp eq i64 %j, %n
  br i1 %e, label %out, label %body
out:
  ret void
}

; A store that does not come in each turn, and one to addresses that do not follow each other: marked in the loop.
; CHECK-LABEL: define void @some(
; CHECK: then:
; CHECK: store i32 1
; CHECK: store volatile i8 1
; CHECK: next:
; CHECK: store i32 2
; CHECK: store volatile i8 1
; CHECK: ret void
define void @some(i32* %p, i64* %where, i64 %n) {
entry:
  br label %body
body:
  %i = phi i64 [ 0, %entry ], [ %j, %next ]
  %w = getelementptr i64, i64* %where, i64 %i
  %at = load i64, i64* %w
  %c = icmp sgt i64 %at, 7
  br i1 %c, label %then, label %next
then:
  %q = getelementptr i32, i32* %p, i64 %i
  store i32 1, i32* %q
  br label %next
next:
  %r = getelementptr i32, i32* %p, i64 %at
  store i32 2, i32* %r
  %j = add nuw i64 %i, 1
  %e = icmp eq i64 %j, %n
  br i1 %e, label %out, label %body
out:
  ret void
}

; Steps of more than a page would mark pages that are not written.
; CHECK-LABEL: define void @far(
; CHECK: body:
; CHECK: store i32 1
; CHECK: store volatile i8 1
; CHECK: ret void
define void @far(i32* %p, i64 %n) {
entry:
  br label %body
body:
  %i = phi i64 [ 0, %entry ], [ %j, %body ]
  %o = mul i64 %i, 1025
  %q = getelementptr i32, i32* %p, i64 %o
  store i32 1, i32* %q
  %j = add nuw i64 %i, 1
  %e = icmp eq i64 %j, %n
  br i1 %e, label %out, label %body
out:
  ret void
}

; CHECK-LABEL: define i32 @stack_in_loop(
; CHECK-NOT: volatile
; CHECK: ret i32
define i32 @stack_in_loop(i64 %n) {
entry:
  %x = alloca [2000 x i32]
  br label %body
body:
  %i = phi i64 [ 0, %entry ], [ %j, %body ]
  %q = getelementptr [2000 x i32], [2000 x i32]* %x, i64 0, i64 %i
  store i32 1, i32* %q
  %j = add nuw i64 %i, 1
  %e = icmp eq i64 %j, %n
  br i1 %e, label %out, label %body
out:
  %v = load i32, i32* %q
  ret i32 %v
}

; Not at -O0, whose loops are to be seen as they are.
; CHECK-LABEL: define void @plain(
; CHECK-NOT: optmig.strip
; CHECK: testb
; CHECK: ret void
define void @plain(i32* %p, i64 %n) noinline optnone {
entry:
  br label %body
body:
  %i = phi i64 [ 0, %entry ], [ %j, %body ]
  %q = getelementptr i32, i32* %p, i64 %i
  store i32 1, i32* %q
  %j = add nuw i64 %i, 1
  %e = icmp eq i64 %j, %n
  br i1 %e, label %out, label %body
out:
  ret void
}

; A loop that ends when either of two conditions holds, one of which counts, runs in strips: no poll in a turn.
; CHECK-LABEL: define i8* @either(
; CHECK: body:
; CHECK-NOT: testb
; CHECK: br i1 %found, label %out, label %optmig.counted
; CHECK: optmig.counted:
; CHECK-NEXT: icmp eq i32
; CHECK-NEXT: br i1 {{.*}}, label %optmig.strip, label %body
; CHECK: testb
; CHECK: ret i8*
define i8* @either(i8* %text, i32 %most) {
entry:
  br label %body
body:
  %at = phi i8* [ %text, %entry ], [ %next, %body ]
  %left = phi i32 [ %most, %entry ], [ %less, %body ]
  %c = load i8, i8* %at
  %next = getelementptr i8, i8* %at, i64 1
  %found = icmp eq i8 %c, 7
  %less = add i32 %left, -1
  %none = icmp eq i32 %less, 0
  %end = or i1 %none, %found
  br i1 %end, label %out, label %body
out:
  ret i8* %at
}

; So does one that goes on while both hold; with a select the order of the two has to stay.
; CHECK-LABEL: define i8* @both(
; CHECK: body:
; CHECK-NOT: testb
; CHECK: br i1 %other, label %optmig.counted, label %out
; CHECK: optmig.counted:
; CHECK-NEXT: icmp
; CHECK-NEXT: br i1
; CHECK: testb
; CHECK: ret i8*
define i8* @both(i8* %text, i32 %most) {
entry:
  br label %body
body:
  %at = phi i8* [ %text, %entry ], [ %next, %body ]
  %left = phi i32 [ %most, %entry ], [ %less, %body ]
  %c = load i8, i8* %at
  %next = getelementptr i8, i8* %at, i64 1
  %other = icmp ne i8 %c, 7
  %less = add i32 %left, -1
  %some = icmp ne i32 %less, 0
  %on = select i1 %other, i1 %some, i1 false
  br i1 %on, label %body, label %out
out:
  ret i8* %at
}

; The first condition of a select guards the second: it is not asked later.
; CHECK-LABEL: define i8* @guarded(
; CHECK-NOT: optmig.counted
; CHECK: ret i8*
define i8* @guarded(i8* %text, i32 %most) {
entry:
  br label %body
body:
  %at = phi i8* [ %text, %entry ], [ %next, %body ]
  %left = phi i32 [ %most, %entry ], [ %less, %body ]
  %c = load i8, i8* %at
  %next = getelementptr i8, i8* %at, i64 1
  %other = icmp ne i8 %c, 7
  %less = add i32 %left, -1
  %some = icmp ne i32 %less, 0
  %on = select i1 %some, i1 %other, i1 false
  br i1 %on, label %body, label %out
out:
  ret i8* %at
}
