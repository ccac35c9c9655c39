import { logConformance } from './suite.ts';

logConformance('kafka');
