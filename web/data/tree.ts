/**
 * The decode tree as rows to show, and the way between bytes and nodes. Pure.
 * A node's path is its child indexes from the root, joined: '2.0.1'.
 */
import type { TreeNode } from '../worker/messages.js';

export interface TreeRow {
  path: string;
  node: TreeNode;
  depth: number;
  expanded: boolean;
  /** Position among its siblings, from 1, for assistive technology. */
  position: number;
  siblings: number;
}

/** Rows in reading order; children of collapsed nodes are left out. */
export function treeRows(
  nodes: readonly TreeNode[],
  isExpanded: (node: TreeNode, depth: number) => boolean,
): TreeRow[] {
  const rows: TreeRow[] = [];
  const visit = (children: readonly TreeNode[], depth: number, prefix: string) => {
    children.forEach((node, i) => {
      const path = prefix ? `${prefix}.${i}` : String(i);
      const expanded = node.children.length > 0 && isExpanded(node, depth);
      rows.push({ path, node, depth, expanded, position: i + 1, siblings: children.length });
      if (expanded) visit(node.children, depth + 1, path);
    });
  };
  visit(nodes, 0, '');
  return rows;
}

const holds = (node: TreeNode, offset: number) => offset >= node.offset && offset < node.offset + node.length;

/** Path of the innermost node whose bytes include `offset`; null when no node does. */
export function nodeAt(nodes: readonly TreeNode[], offset: number, prefix = ''): string | null {
  for (let i = nodes.length - 1; i >= 0; i--) {
    const node = nodes[i]!;
    const path = prefix ? `${prefix}.${i}` : String(i);
    const inner = nodeAt(node.children, offset, path);
    if (inner !== null) return inner;
    if (holds(node, offset)) return path;
  }
  return null;
}

/** The node at a path, and its ancestors from the root; null for a path of another tree. */
export function nodesOn(nodes: readonly TreeNode[], path: string): TreeNode[] | null {
  const found: TreeNode[] = [];
  let children = nodes;
  for (const index of path.split('.')) {
    const node = children[Number(index)];
    if (!node) return null;
    found.push(node);
    children = node.children;
  }
  return found;
}
